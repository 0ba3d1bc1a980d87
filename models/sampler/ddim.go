package sampler

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// DDIM is the sampler of Song et al. 2021. Eta 0 is deterministic; Eta 1 adds as much noise as
// [DDPM].
type DDIM struct {
	single
	Eta float64 `yaml:"eta" range:"[0, 1]" doc:"How much fresh noise a step adds: 0 for none (deterministic), 1 for as much as DDPM."`
}

// History is 0: a step needs nothing from the one before.
func (DDIM) History() int { return 0 }

// Noisy is whether Eta is above 0.
func (d DDIM) Noisy() bool { return d.Eta > 0 }

// Coefs returns the signal of the level where the step ends, the weight of eps (DDIM, eq. 12) and
// sigma (eq. 16).
func (d DDIM) Coefs(steps []Step, i int) Coefs {
	from, to := steps[i].From, steps[i].To
	direction, sigma := ancestral(from, to, d.Eta)
	return Coefs{"signal": to.Signal, "direction": direction, "sigma": sigma}
}

// StepGraph is DDIM, eq. 12:
//
//	x_next = sqrt(alphaBarNext) x0 + sqrt(1 - alphaBarNext - sigma^2) eps + sigma z
//
// eps is the network's own even if x0 was clipped, as in the published code of MCVD. Other
// implementations compute eps again from the clipped x0.
func (d DDIM) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	p := denoise(in.X, in.At[0])
	x := Sum(Mul(c["signal"], p.X0), Mul(c["direction"], p.Eps))
	if d.Noisy() {
		x = Add(x, Mul(c["sigma"], in.Noise))
	}
	return x, nil
}
