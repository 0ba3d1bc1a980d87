package sampler

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/diffusion"
)

// Heun is Heun's method on the probability-flow ODE in sigma = noise/signal (Karras et al. 2022,
// EDM, algorithm 1). It is a deterministic solver of second order that evaluates the network at
// both ends of a step.
type Heun struct{}

// Steps evaluates the network only once, as in Euler's method, in two cases: in the step to clean
// frames, where sigma is 0, and in a step from a level without signal, where sigma is infinite.
func (Heun) Steps(levels []diffusion.Level, s diffusion.Schedule) []Step {
	steps := single{}.Steps(levels, s)
	for i, step := range steps {
		if step.To.Noise > 0 && step.From.Signal > 0 {
			steps[i].At = append(step.At, step.To)
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
	from, to := steps[i].At[0], steps[i].To
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

// raising is embedded in samplers that add noise to x before a step of [Heun]: the step then begins
// at a noisier level, which is the first at which the network is evaluated.
type raising struct{ Heun }

// raise brings x from one level to a noisier one: with z standard normal,
//
//	x_up = signal_up (x/signal + sqrt(sigma_up^2 - sigma^2) scale z)
func raise(from, up diffusion.Level, scale float64) (x, noise float64) {
	if from == up {
		return 1, 0
	}
	r := from.Sigma() / up.Sigma()
	return up.Signal / from.Signal, scale * up.Noise * math.Sqrt(max(0, 1-r*r))
}

// StepGraph adds the noise and makes Heun's step.
func (r raising) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	in.X = Sum(Mul(c["raise"], in.X), Mul(c["sigma"], in.Noise))
	return r.Heun.StepGraph(denoise, in, c)
}

// raised adds what brings x to the level where the step begins to the coefficients of Heun's step.
func raised(steps []Step, i int, scale float64) Coefs {
	c := Heun{}.Coefs(steps, i)
	c["raise"], c["sigma"] = raise(steps[i].From, steps[i].At[0], scale)
	return c
}
