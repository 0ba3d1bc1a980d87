package likelihood

import (
	"context"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// Bound is the variational bound on the bits of a block, term by term (Ho et al. 2020, eq. 5).
type Bound struct {
	// Prior is L_T: what is still to be seen of the block at the noisiest level.
	Prior float64
	// Steps are L_t of the steps between two levels, the noisiest first: how much the step of DDPM
	// that knows the block differs from the one that knows the network's prediction.
	Steps []float64
	// Decoder is L_0: the bits of the block, given the network's prediction at the least noisy level.
	Decoder float64
}

// Total is the sum of the terms.
func (b Bound) Total() float64 {
	total := b.Prior + b.Decoder
	for _, s := range b.Steps {
		total += s
	}
	return total
}

// Bound bounds the bits of the blocks x0 by DDPM's reverse process through the levels, which are
// those of [sampler.Levels]: with all levels of a discrete schedule it is that of Ho et al. 2020. The
// variance of a step is that of the posterior. Predictions are kept in [-1, 1] if clip is set, as
// the published numbers are. Each term is drawn once, with noise of its own.
func (l *Likelihood) Bound(ctx context.Context, x0 *tensors.Tensor, cond []devices.Value, levels []diffusion.Level, clip bool, noise Noise) ([]Bound, error) {
	b := &blocks{l, x0.Shape().Dimensions, cond}
	values, err := tensors.CopyFlatData[float32](x0)
	if err != nil {
		return nil, err
	}
	bounds := make([]Bound, b.dims[0])
	for k, bits := range b.sums(func(i int) float64 { return prior(levels[0], float64(values[i])) }) {
		bounds[k].Prior = bits
	}
	for n, from := range levels[:len(levels)-1] {
		results, err := b.call(ctx, l.predict, from, sampler.AddNoise(from, values, noise(n)))
		if err != nil {
			return nil, err
		}
		predicted := func(i int) float64 {
			x := float64(results[0][i])
			if clip {
				x = max(-1, min(x, 1))
			}
			return x
		}
		to := levels[n+1]
		if to.Noise == 0 {
			for k, bits := range b.sums(func(i int) float64 { return -logGrey(float64(values[i]), predicted(i), from.Noise) }) {
				bounds[k].Decoder = bits
			}
			continue
		}
		weight := (snr(to) - snr(from)) / 2
		for k, bits := range b.sums(func(i int) float64 { d := float64(values[i]) - predicted(i); return weight * d * d }) {
			bounds[k].Steps = append(bounds[k].Steps, bits)
		}
	}
	return bounds, nil
}

// snr is the signal-to-noise ratio. Two posteriors of the same variance that expect x0 and another
// value differ by half of what a step adds to it, times the squared difference: their means differ by
// the weight of x0 in the mean (Ho et al. 2020, eqs. 6, 7), and Kingma et al. 2021 (VDM, eq. 13)
// show that the rest cancels.
func snr(l diffusion.Level) float64 { return l.Signal * l.Signal / (l.Noise * l.Noise) }

// prior is KL(N(signal x, noise^2) || N(0, 1)), in nats.
func prior(l diffusion.Level, x float64) float64 {
	mean, variance := l.Signal*x, l.Noise*l.Noise
	return (mean*mean + variance - 1 - math.Log(variance)) / 2
}

// logGrey is the logarithm of the probability that a normal distribution gives to a level of grey:
// to the interval around it, which reaches to infinity for black and white (Ho et al. 2020, eq. 13).
func logGrey(x, mean, std float64) float64 {
	low, high := (x-step/2-mean)/std, (x+step/2-mean)/std
	if x < -1+step/2 {
		low = math.Inf(-1)
	}
	if x > 1-step/2 {
		high = math.Inf(1)
	}
	return logInterval(low, high)
}

// logInterval is the logarithm of the probability that a standard normal variable lies between low and
// high. It is exact far out, too, where both tails are 0 in float64.
func logInterval(low, high float64) float64 {
	if low+high < 0 {
		low, high = -high, -low // the same by symmetry, with the near end first
	}
	if low < 20 {
		return math.Log((math.Erfc(low/math.Sqrt2) - math.Erfc(high/math.Sqrt2)) / 2)
	}
	ratio := low / high * math.Exp((low-high)*(low+high)/2) // of the tails
	return -low*low/2 - math.Log(low*math.Sqrt(2*math.Pi)) - math.Log1p(1/(low*low)) + math.Log1p(-ratio)
}
