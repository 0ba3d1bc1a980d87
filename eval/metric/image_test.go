package metric

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"mcvd/data/clips"
)

// noise is a clip of independent pixels.
func noise(seed uint64, frames, height, width, channels int) clips.Clip {
	c := clips.NewClip(frames, height, width, channels)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range c.Pix {
		c.Pix[i] = uint8(rng.Uint32())
	}
	return c
}

// ssimByDefinition follows the formula pixel by pixel, with a two-dimensional window and both
// variances.
func ssimByDefinition(a, b []float64, height, width int) float64 {
	var total, count float64
	for y := 5; y < height-5; y++ {
		for x := 5; x < width-5; x++ {
			var sum, ma, mb, va, vb, cov float64
			window := func(visit func(w, p, q float64)) {
				for dy := -5; dy <= 5; dy++ {
					for dx := -5; dx <= 5; dx++ {
						at := (y+dy)*width + x + dx
						visit(math.Exp(-float64(dx*dx+dy*dy)/(2*1.5*1.5)), a[at], b[at])
					}
				}
			}
			window(func(w, p, q float64) { sum, ma, mb = sum+w, ma+w*p, mb+w*q })
			ma, mb = ma/sum, mb/sum
			window(func(w, p, q float64) {
				va, vb, cov = va+w*(p-ma)*(p-ma)/sum, vb+w*(q-mb)*(q-mb)/sum, cov+w*(p-ma)*(q-mb)/sum
			})
			c1, c2 := 6.5025, 58.5225
			total += (2*ma*mb + c1) * (2*cov + c2) / ((ma*ma + mb*mb + c1) * (va + vb + c2))
			count++
		}
	}
	return total / count
}

func TestSSIMByDefinition(t *testing.T) {
	for _, size := range [][3]int{{11, 11, 1}, {11, 30, 1}, {25, 13, 3}} {
		height, width, channels := size[0], size[1], size[2]
		a, b := noise(1, 1, height, width, channels), noise(2, 1, height, width, channels)
		for i := range b.Pix { // related, so that the covariance matters
			b.Pix[i] = a.Pix[i]/2 + b.Pix[i]/4
		}
		got, err := SSIM(a.Pix, b.Pix, height, width, channels)
		if err != nil {
			t.Fatal(err)
		}
		greys := func(pix []uint8) []float64 {
			out := make([]float64, height*width)
			for i := range out {
				out[i] = grey(pix[i*channels : (i+1)*channels])
			}
			return out
		}
		if want := ssimByDefinition(greys(a.Pix), greys(b.Pix), height, width); !(math.Abs(got-want) <= 1e-9) {
			t.Errorf("%v: ssim = %.12g, want %.12g", size, got, want)
		}
		if same, _ := SSIM(a.Pix, a.Pix, height, width, channels); !(math.Abs(same-1) <= 1e-12) {
			t.Errorf("%v: ssim of equal frames = %g, want 1", size, same)
		}
		if back, _ := SSIM(b.Pix, a.Pix, height, width, channels); !(math.Abs(got-back) <= 1e-12) {
			t.Errorf("%v: ssim is not symmetric: %g and %g", size, got, back)
		}
	}
}

// Values of PIL's convert('L').
func TestGrey(t *testing.T) {
	for pixel, want := range map[[3]uint8]float64{
		{255, 0, 0}: 76, {0, 255, 0}: 150, {0, 0, 255}: 29, {255, 255, 255}: 255, {10, 200, 30}: 124, {1, 1, 1}: 1,
		{21, 180, 40}: 116, {29, 202, 11}: 129, // one more or less in any coefficient changes these
	} {
		if got := grey(pixel[:]); got != want {
			t.Errorf("grey(%v) = %g, want %g", pixel, got, want)
		}
	}
}

func TestPSNR(t *testing.T) {
	black, white := make([]uint8, 64), make([]uint8, 64)
	for i := range white {
		white[i] = 255
	}
	if got := PSNR(black, white); got != 0 || math.Signbit(got) {
		t.Errorf("black and white: %g, want 0", got)
	}
	if got := PSNR(white, white); got != MaxPSNR {
		t.Errorf("identical: %g, want %d", got, MaxPSNR)
	}
	if got := PSNR(nil, nil); !math.IsNaN(got) {
		t.Errorf("no pixels: %g, want NaN", got)
	}
}

// pairsOf opens a metric of pairs.
func pairsOf(t *testing.T, name string) Pairs { return pairsWith(t, name, Needs{}) }

func pairsWith(t *testing.T, name string, needs Needs) Pairs {
	t.Helper()
	opened, err := Open([]string{name}, needs)
	if err != nil || opened[0].Skipped != "" {
		t.Fatalf("%+v, %v", opened, err)
	}
	t.Cleanup(func() { Close(opened) })
	return opened[0].Pairs
}

// score scores one pair.
func score(t *testing.T, p Pairs, real, made clips.Clip) Score {
	t.Helper()
	scores, err := p.Score([]clips.Clip{real}, []clips.Clip{made})
	if err != nil || len(scores) != 1 {
		t.Fatalf("%d scores, %v", len(scores), err)
	}
	return scores[0]
}

// One frame is perfect and one is off by 51, a fifth of the range: the video's MSE is half of 0.04,
// and its PSNR not the mean of the frames'.
func TestVideoAveragesMSEFirst(t *testing.T) {
	real, made := clips.NewClip(2, 12, 12, 1), clips.NewClip(2, 12, 12, 1)
	for i := range 144 {
		made.Pix[144+i] = 51
	}
	got := score(t, pairsOf(t, "psnr"), real, made)
	if want := 10 * math.Log10(1/0.02); !(math.Abs(got.Value-want) <= 1e-12) {
		t.Errorf("video = %g, want %g", got.Value, want)
	}
	if want := 10 * math.Log10(1/0.04); got.Frames[0] != MaxPSNR || !(math.Abs(got.Frames[1]-want) <= 1e-12) {
		t.Errorf("frames = %g, want %d and %g", got.Frames, MaxPSNR, want)
	}
}

// What holds for each metric of pairs in the table that takes any clips.
func TestEveryMetricOfPairs(t *testing.T) {
	needs := drawnWeights(t, "lpips-alex")
	for _, m := range metrics {
		if m.OpenPairs == nil || m.Special {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			pairs := pairsWith(t, m.Name, needs)
			real := noise(1, 3, 16, 20, 3)
			near, far := noise(1, 3, 16, 20, 3), noise(2, 3, 16, 20, 3)
			near.Pix[5] ^= 64
			scores, err := pairs.Score([]clips.Clip{real, real}, []clips.Clip{near, far})
			if err != nil {
				t.Fatal(err)
			}
			good, bad := scores[0].Value, scores[1].Value
			if good == bad || good > bad != m.HigherIsBetter {
				t.Errorf("near %g, far %g, higher is better: %v", good, bad, m.HigherIsBetter)
			}
			if n := len(scores[0].Frames); n != 3 {
				t.Fatalf("scores of %d frames, want 3", n)
			}
			for i, got := range scores[0].Frames {
				if want := score(t, pairs, real.Slice(i, i+1), near.Slice(i, i+1)).Value; got != want {
					t.Errorf("frame %d = %g, alone %g", i, got, want)
				}
			}
			for _, wrong := range [][2][]clips.Clip{{{real}, {far.Slice(0, 2)}}, {{{}}, {{}}}, {{real, real}, {far}}} {
				if _, err := pairs.Score(wrong[0], wrong[1]); err == nil {
					t.Error("clips that don't fit: no error")
				}
			}
		})
	}
}

// A pair that can't be scored is skipped, the others are not.
func TestSmallFramesAreSkipped(t *testing.T) {
	small, large := noise(1, 2, 10, 64, 1), noise(1, 2, 11, 64, 1)
	scores, err := pairsOf(t, "ssim").Score([]clips.Clip{small, large}, []clips.Clip{small, large})
	if err != nil {
		t.Fatal(err)
	}
	if want := "ssim needs frames of 11x11 or more, got 10x64"; scores[0].Skipped != want || scores[0].Value != 0 {
		t.Errorf("score %+v, want to be skipped: %s", scores[0], want)
	}
	if scores[1].Skipped != "" || !(math.Abs(scores[1].Value-1) <= 1e-12) {
		t.Errorf("score %+v, want 1", scores[1])
	}
	if _, ok := Reason(errors.New("no file")); ok {
		t.Error("another error is taken for a skipped score")
	}
	if _, err := SSIM(make([]uint8, 242), make([]uint8, 242), 11, 11, 2); err == nil {
		t.Error("two channels: no error")
	}
	if _, err := SSIM(make([]uint8, 121), make([]uint8, 120), 11, 11, 1); err == nil {
		t.Error("frames of different sizes: no error")
	}
}

func BenchmarkSSIM(b *testing.B) {
	for _, size := range []int{64, 128} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			x, y := noise(1, 1, size, size, 3), noise(2, 1, size, size, 3)
			b.ReportAllocs()
			for b.Loop() {
				SSIM(x.Pix, y.Pix, size, size, 3)
			}
		})
	}
}
