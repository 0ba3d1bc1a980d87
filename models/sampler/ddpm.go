package sampler

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// DDPM is ancestral sampling (Ho et al. 2020, algorithm 2) with the variance of the posterior.
type DDPM struct{ single }

// History is 0: a step needs nothing from the one before.
func (DDPM) History() int { return 0 }

// Noisy is true.
func (DDPM) Noisy() bool { return true }

// Coefs returns the weights of x0 and of x in the posterior's mean (DDPM, eq. 7) and its standard
// deviation.
//
// alpha is the ratio of alphaBar between one visited level and the next. The weight of x0 is
// computed from the condition that the mean keeps the signal, signalNext = weightX0 + weightX
// signal. This is equal to eq. 7, and also defined at clean frames.
func (DDPM) Coefs(steps []Step, i int) Coefs {
	from, to := steps[i].From, steps[i].To
	_, sigma := ancestral(from, to, 1)
	x := from.Signal / to.Signal * to.Noise * to.Noise / (from.Noise * from.Noise)
	return Coefs{"x0": to.Signal - x*from.Signal, "x": x, "sigma": sigma}
}

// StepGraph draws from q(x_next | x, x0) (DDPM, eq. 6) with the network's x0:
//
//	x_next = weightX0 x0 + weightX x + sigma z
func (DDPM) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	p := denoise(in.X, in.At[0])
	return Sum(Mul(c["x0"], p.X0), Mul(c["x"], in.X), Mul(c["sigma"], in.Noise)), nil
}
