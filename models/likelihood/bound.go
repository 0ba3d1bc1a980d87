package likelihood

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

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
// those of [sampler.Levels]: with all levels of a discrete schedule it is that of Ho et al. 2020.
// variance, one of [sampler.Variances], is that of the steps. Predictions are kept in [-1, 1] if clip
// is set, as the published numbers are. Each term is drawn once, with noise of its own.
func (l *Likelihood) Bound(ctx context.Context, x0 *tensors.Tensor, cond []devices.Value, levels []diffusion.Level, variance string, clip bool, noise Noise) ([]Bound, error) {
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
		share, err := shares(variance, results)
		if err != nil {
			return nil, err
		}
		if levels[n+1].Noise == 0 {
			deviation := decoderDeviation(levels, variance)
			for k, bits := range b.sums(func(i int) float64 { return -diffusion.LogGrey(float64(values[i]), predicted(i), deviation(share(i))) }) {
				bounds[k].Decoder = bits
			}
			continue
		}
		term := divergence(from, levels[n+1])
		for k, bits := range b.sums(func(i int) float64 { return term(float64(values[i])-predicted(i), share(i)) }) {
			bounds[k].Steps = append(bounds[k].Steps, bits)
		}
	}
	return bounds, nil
}

// shares are where the variance of each value lies between that of the posterior, 0, and beta, 1, of
// what the network gave at a level.
func shares(variance string, results [][]float32) (func(i int) float64, error) {
	switch variance {
	case sampler.Posterior:
		return func(int) float64 { return 0 }, nil
	case sampler.Beta:
		return func(int) float64 { return 1 }, nil
	case sampler.Learned:
		if len(results) > 1 {
			return func(i int) float64 { return float64(results[1][i]) }, nil
		}
		return nil, errors.New("the variance learned: the network gives none, want posterior or beta (or a model with diffusion.variance: learned)")
	}
	return nil, fmt.Errorf("the variance %q: want one of %s", variance, strings.Join(sampler.Variances(), ", "))
}

// divergence is the term of a value in the step between two levels that have noise, in nats: that of
// the posterior from a normal distribution whose mean is wrong by an error of x0, and whose variance
// has that share. With r, the posterior's variance divided by this, it is
//
//	(r - 1 - ln r)/2 + r gain error^2
func divergence(from, to diffusion.Level) func(miss, share float64) float64 {
	beta, posterior := diffusion.StepVariances(from, to)
	logBeta, logPosterior, gain := math.Log(beta), math.Log(posterior), diffusion.Gain(from, to)
	return func(miss, share float64) float64 {
		logRatio := share * (logPosterior - logBeta)
		ratio := math.Exp(logRatio)
		return (ratio-1-logRatio)/2 + ratio*gain*miss*miss
	}
}

// decoderDeviation is the standard deviation of the decoder for the share of a value. At the least noisy
// level the posterior has no variance, so one that is fixed is beta. A learned one is interpolated
// with the posterior's variance of the step before (Nichol and Dhariwal 2021), if there is one.
func decoderDeviation(levels []diffusion.Level, variance string) func(share float64) float64 {
	n := len(levels)
	from := levels[n-2]
	if variance != sampler.Learned || n < 3 {
		return func(float64) float64 { return from.Noise }
	}
	beta, _ := diffusion.StepVariances(from, levels[n-1])
	_, posterior := diffusion.StepVariances(levels[n-3], from)
	return func(share float64) float64 {
		return math.Sqrt(diffusion.StepVariance(share, math.Log(beta), math.Log(posterior)))
	}
}

// prior is KL(N(signal x, noise^2) || N(0, 1)), in nats.
func prior(l diffusion.Level, x float64) float64 {
	mean, variance := l.Signal*x, l.Noise*l.Noise
	return (mean*mean + variance - 1 - math.Log(variance)) / 2
}
