package metric

import (
	"math"

	"mcvd/data/clips"
)

// MaxPSNR is the PSNR of identical frames, in dB, and the highest that [PSNR] gives. Infinity would
// make every mean infinite and can't be written as JSON. One pixel that is off by one in a 64x64
// RGB frame has 89 dB.
const MaxPSNR = 100

// MSE is the mean squared error of 8-bit values as numbers in [0, 1], so it is 0 to 1. It panics if
// a and b differ in length; without elements it is NaN.
func MSE(a, b []uint8) float64 {
	if len(a) != len(b) {
		panic("metric.MSE: frames of different sizes")
	}
	var sum uint64 // of integers, so that the order of the elements doesn't matter
	for i, p := range a {
		d := int(p) - int(b[i])
		sum += uint64(d * d)
	}
	return float64(sum) / float64(len(a)) / (255 * 255)
}

// PSNR is the peak signal-to-noise ratio in dB, 10 log10(1 / MSE), [MaxPSNR] at most. Given all
// frames of a video, it is the published PSNR of a video: from the MSE averaged over frames, not
// the average of the frames' PSNR.
func PSNR(a, b []uint8) float64 {
	return min(10*math.Log10(1/MSE(a, b)), MaxPSNR)
}

// openPSNR needs nothing.
func openPSNR(Needs) (Pairs, error) {
	return eachPair(func(real, made clips.Clip) (Score, error) {
		frames, err := eachFrame(real, made, func(a, b []uint8) (float64, error) { return PSNR(a, b), nil })
		return Score{Value: PSNR(real.Pix, made.Pix), Frames: frames}, err
	}), nil
}
