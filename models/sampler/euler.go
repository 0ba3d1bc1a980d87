package sampler

import (
	"math"

	"mcvd/models/diffusion"
)

// Euler is Euler's method on the probability-flow ODE in sigma = noise/signal (Karras et al. 2022,
// EDM, eqs. 1 and 3). It is DDIM with eta 0, but for one thing: where x0 is clipped, its slope
// follows the clipped x0.
type Euler struct{ multistep }

// History is 0: a step needs nothing from the one before.
func (Euler) History() int { return 0 }

// Noisy is false.
func (Euler) Noisy() bool { return false }

// Coefs returns the weights of x and of x0: with r = sigma_next/sigma,
//
//	x_next/signal_next = r x/signal + (1 - r) x0
func (Euler) Coefs(steps []Step, i int) Coefs {
	x, now, _ := linearStep(steps[i], 0)
	return Coefs{"x": x, "now": now}
}

// EulerAncestral makes Euler's step further than the next level, and adds noise to come back to it.
// With eta 1 it has the distribution of DDPM's steps (Song et al. 2021, DDIM, eq. 16).
type EulerAncestral struct {
	multistep
	Eta float64 `yaml:"eta" range:"[0, 1]" doc:"How much fresh noise a step adds: 0 for none (Euler's method), 1 for as much as DDPM."`
}

// History is 0: a step needs nothing from the one before.
func (EulerAncestral) History() int { return 0 }

// Noisy is whether Eta is above 0.
func (e EulerAncestral) Noisy() bool { return e.Eta > 0 }

// Coefs returns the weights of x and of x0 in Euler's step, and the deviation of the noise.
func (e EulerAncestral) Coefs(steps []Step, i int) Coefs {
	down, sigma := ancestral(steps[i].From, steps[i].To, e.Eta)
	x := down / steps[i].From.Noise
	return Coefs{"x": x, "now": steps[i].To.Signal - x*steps[i].From.Signal, "sigma": sigma}
}

// ancestral divides the noise of the level to into what remains of the noise at from, and fresh
// noise; their squares sum to the square of to's (DDIM, eq. 16, in sigma = noise/signal).
func ancestral(from, to diffusion.Level, eta float64) (remains, fresh float64) {
	r := to.Noise * from.Signal / (to.Signal * from.Noise) // sigma_next / sigma
	fresh = eta * to.Noise * math.Sqrt(1-r*r)
	return math.Sqrt(to.Noise*to.Noise - fresh*fresh), fresh
}
