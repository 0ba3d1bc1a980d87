package sampler

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
)

// DDPM is ancestral sampling (Ho et al. 2020, algorithm 2) with the variance of the posterior.
type DDPM struct{}

func newDDPM(c configs.Sampler) (Sampler, error) {
	if c.Eta != 0 {
		return nil, fmt.Errorf("sampler.eta: %g has no effect because sampler.name is ddpm", c.Eta)
	}
	return DDPM{}, nil
}

// History is 0: a step needs nothing from the one before.
func (DDPM) History() int { return 0 }

// Noisy is true.
func (DDPM) Noisy() bool { return true }

// Coefs returns the signal and the noise of the level where the step starts, the weights of x0 and of x in the posterior's
// mean (DDPM, eq. 7), its standard deviation and the bound of x0.
//
// alpha is from one level visited to the next. The weight of x0 is written such that the mean keeps the signal,
// signalNext = weightX0 + weightX signal: equal to eq. 7, and defined at clean frames, too.
func (DDPM) Coefs(plan []Step, i int) []float64 {
	from, to := plan[i].From, plan[i].To
	sqrtAlpha := from.Signal / to.Signal
	weightX := sqrtAlpha * to.Noise * to.Noise / (from.Noise * from.Noise)
	weightX0 := to.Signal - weightX*from.Signal
	sigma := to.Noise / from.Noise * math.Sqrt(1-sqrtAlpha*sqrtAlpha)
	return []float64{from.Signal, from.Noise, weightX0, weightX, sigma, plan[i].bound()}
}

// StepGraph draws from q(x_next | x, x0) (DDPM, eq. 6) with the network's x0:
//
//	x_next = weightX0 x0 + weightX x + sigma z
func (DDPM) StepGraph(denoise Denoiser, in State, coefs []*Node) (*Node, []*Node) {
	signal, noise, weightX0, weightX, sigma, bound := coefs[0], coefs[1], coefs[2], coefs[3], coefs[4], coefs[5]
	x0 := clippedX0(in.X, denoise(in.X, in.T), signal, noise, bound)
	return Sum(Mul(weightX0, x0), Mul(weightX, in.X), Mul(sigma, in.Noise)), nil
}
