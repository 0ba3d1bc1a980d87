package sampler

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/diffusion"
)

// Heun is Heun's method on the probability-flow ODE in sigma = noise/signal (Karras et al. 2022,
// EDM, algorithm 1). It is a deterministic solver of second order that evaluates the network at
// both ends of a step.
type Heun struct{}

// Steps evaluates the network only once, as in Euler's method, in two cases: in the step to clean
// frames, where sigma is 0, and in a step from a level without signal, where sigma is infinite.
func (Heun) Steps(levels []diffusion.Level) []Step {
	steps := single{}.Steps(levels)
	for i, s := range steps {
		if s.To.Noise > 0 && s.From.Signal > 0 {
			steps[i].At = append(s.At, s.To)
		}
	}
	return steps
}

// History is 0: a step needs nothing from the one before.
func (Heun) History() int { return 0 }

// Noisy is false.
func (Heun) Noisy() bool { return false }

// Coefs returns the weights of x and of x0 in Euler's step. Where the network is evaluated a second
// time, it also returns the weights in Heun's step of the clean frames predicted at the beginning
// and at the end. With r = sigma_next/sigma, Euler's step is
//
//	x_next/signal_next = r x/signal + (1 - r) x0
func (Heun) Coefs(steps []Step, i int) Coefs {
	from, to := steps[i].From, steps[i].To
	x := to.Noise / from.Noise // r signal_next/signal
	euler := to.Signal - x*from.Signal
	first, second := 0.0, 0.0
	if len(steps[i].At) > 1 {
		r := to.Noise / to.Signal * from.Signal / from.Noise
		first, second = euler*(1-1/(2*r)), euler/(2*r)
	}
	return Coefs{"x": x, "euler": euler, "first": first, "second": second}
}

// StepGraph is EDM, algorithm 1, solved for x_next: the mean of the slopes (x - x0)/sigma at both
// ends makes it
//
//	x_next/signal_next = r x/signal + (1 - r) ((1 - 1/2r) x0 + 1/2r x0')
//
// where x0' is predicted at Euler's x_next.
func (Heun) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	p := denoise(in.X, in.At[0])
	x := Sum(Mul(c["x"], in.X), Mul(c["euler"], p.X0))
	if len(in.At) == 1 {
		return x, nil
	}
	end := denoise(x, in.At[1])
	return Sum(Mul(c["x"], in.X), Mul(c["first"], p.X0), Mul(c["second"], end.X0)), nil
}
