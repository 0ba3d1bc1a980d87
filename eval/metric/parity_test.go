package metric

import (
	"fmt"
	"math"
	"testing"

	"mcvd/models/paritytest"
)

// Scores of pairs of grey frames are what the Python packages behind the published scores
// (scikit-image's SSIM, NumPy) say, to 1e-9.
func TestParityImageScores(t *testing.T) {
	const tolerance = 1e-9
	paritytest.Each(t, "metric/image_*.safetensors", func(t *testing.T, path string) {
		f := paritytest.Open(t, path)
		worst, pairs := map[string]float64{}, 0
		for ; ; pairs++ {
			name := func(kind string) string { return fmt.Sprint(kind, pairs) }
			if _, ok := f.Lookup(name("a")); !ok {
				break
			}
			shape := f.Shape(name("a"))
			a, errA := f.Read(name("a"))
			b, errB := f.Read(name("b"))
			ssim, errSSIM := SSIM(a, b, shape[0], shape[1], 1)
			if errA != nil || errB != nil || errSSIM != nil {
				t.Fatal(errA, errB, errSSIM)
			}
			for kind, got := range map[string]float64{"ssim": ssim, "mse": MSE(a, b), "psnr": PSNR(a, b)} {
				want := f.Doubles(name(kind))[0]
				d := math.Abs(got - want)
				if !(d <= tolerance) {
					t.Errorf("pair %d: %s = %.12g, want %.12g", pairs, kind, got, want)
				}
				worst[kind] = max(worst[kind], d)
			}
		}
		if pairs == 0 {
			t.Error("no pairs")
		}
		t.Logf("%d pairs, worst deviations: SSIM %.2g, MSE %.2g, PSNR %.2g", pairs, worst["ssim"], worst["mse"], worst["psnr"])
	})
}
