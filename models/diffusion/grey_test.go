package diffusion

import (
	"math"
	"testing"
)

// The probabilities of all levels of grey sum to 1, wherever the mean is; far out the logarithm is
// that of the tail.
func TestLevelsOfGreyHaveAllOfTheProbability(t *testing.T) {
	for _, mean := range []float64{-1.2, -0.7, 0.001, 1} {
		for _, deviation := range []float64{0.001, 0.02, 0.5} {
			sum := 0.0
			for v := range 256 {
				sum += math.Exp(LogGrey(float64(v)/127.5-1, mean, deviation))
			}
			if !(math.Abs(sum-1) <= 1e-9) {
				t.Errorf("mean %g, deviation %g: the probabilities sum to %g", mean, deviation, sum)
			}
		}
	}
	for _, low := range []float64{19.9, 20.1, 25} { // on both sides of where the formula changes
		want := math.Log((math.Erfc(low/math.Sqrt2) - math.Erfc((low+0.01)/math.Sqrt2)) / 2)
		if got := logInterval(low, low+0.01); !(math.Abs(got-want) <= 1e-3) {
			t.Errorf("from %g: %g, want %g", low, got, want)
		}
		if got := logInterval(-low-0.01, -low); !(math.Abs(got-want) <= 1e-3) {
			t.Errorf("to -%g: %g, want %g", low, got, want)
		}
	}
	if got := logInterval(1000, 1001); !(math.Abs(got+500_007.8) <= 0.1) { // -500000 - ln(1000 sqrt(2 pi))
		t.Errorf("far out: %g", got)
	}
}
