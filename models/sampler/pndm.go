package sampler

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/diffusion"
)

// PNDM is F-PNDM (Liu et al. 2022, PNDM, algorithm 2). DDIM's step carries x from a level to another
// for a given eps, and eps is averaged over the step in timesteps: in three steps by the rule of
// Runge and Kutta, with four evaluations each, and then by that of Adams and Bashforth from the last
// four, with the weights 55, -59, 37 and -9 over 24 where the steps are equally long. The published
// code of MCVD has a sampler of this name that walks the schedule in the wrong direction; this one is
// the paper's.
//
// Its order is 2, and 4 where sigma = noise/signal is linear in the timestep.
type PNDM struct{}

const pndmHistory = 3

// Steps begins with three steps of four evaluations: at the start, twice in the middle, and at the
// end. A step from a level without signal, and the last one, to clean frames, are DDIM's.
func (PNDM) Steps(levels []diffusion.Level, s diffusion.Schedule) []Step {
	steps := single{}.Steps(levels, s)
	for i, step := range steps {
		if step.To.Noise > 0 && step.From.Signal > 0 && usable(steps, i, pndmHistory) < pndmHistory {
			middle := s.OfLabel((step.From.Label + step.To.Label) / 2)
			steps[i].At = []diffusion.Level{step.From, middle, middle, step.To}
		}
	}
	return steps
}

// History is 3: the noise that the last three steps predicted where they began.
func (PNDM) History() int { return pndmHistory }

// Noisy is false.
func (PNDM) Noisy() bool { return false }

// Coefs returns the weights of Adams and Bashforth. For a step of Runge and Kutta it returns what
// carries x to the middle and to the end: the signal there, and the weights of eps there and of what
// eps differs from that at the start (see [carry]).
func (PNDM) Coefs(steps []Step, i int) Coefs {
	s := steps[i]
	c := adamsBashforth(steps, i, pndmHistory, func(s Step) (from, to float64) { return s.From.Label, s.To.Label })
	c["middle"], c["middle_noise"], c["middle_change"], c["end_change"] = 0, 0, 0, 0
	if len(s.At) > 1 {
		middle := s.At[1]
		c["now"] = s.To.Noise
		c["middle"], c["middle_noise"], c["middle_change"] = middle.Signal, middle.Noise, middle.Signal*s.From.Sigma()
		c["end_change"] = s.To.Signal * s.From.Sigma()
	}
	return c
}

// StepGraph is PNDM, algorithm 2, with eq. 12 for the first steps and eq. 13 for the others.
func (PNDM) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	x0, first := predict(denoise, in.X, in, 0)
	history := remember(first, in.History)
	if len(in.At) == 1 {
		return adamsBashforthGraph(x0, first, in.History, c), history
	}
	toMiddle := func(eps *Node) *Node {
		return carry(x0, first, eps, c["middle"], c["middle_noise"], c["middle_change"])
	}
	toEnd := func(eps *Node) *Node { return carry(x0, first, eps, c["x0"], c["now"], c["end_change"]) }
	_, second := predict(denoise, toMiddle(first), in, 1)
	_, third := predict(denoise, toMiddle(second), in, 2)
	_, fourth := predict(denoise, toEnd(third), in, 3)
	mean := DivScalar(Sum(first, MulScalar(second, 2), MulScalar(third, 2), fourth), 6)
	return toEnd(mean), history
}

// carry is DDIM's step to a level for an eps that differs from the one at the start, where x =
// signal_start x0 + noise_start eps_start:
//
//	x_to = signal x0 + noise eps + signal sigma_start (eps_start - eps)
func carry(x0, start, eps, signal, noise, change *Node) *Node {
	return Sum(Mul(signal, x0), Mul(noise, eps), Mul(change, Sub(start, eps)))
}
