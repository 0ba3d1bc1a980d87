package sampler

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
)

// DDIM is the sampler of Song et al. 2021. Eta 0 is deterministic; Eta 1 adds as much noise as [DDPM].
type DDIM struct{ Eta float64 }

func newDDIM(c configs.Sampler) (Sampler, error) { return DDIM{c.Eta}, nil }

// History is 0: a step needs nothing from the one before.
func (DDIM) History() int { return 0 }

// Noisy is whether Eta is above 0.
func (d DDIM) Noisy() bool { return d.Eta > 0 }

// Coefs returns the signal and the noise of the level where the step starts, the signal of the one where it ends, the
// weight of eps (DDIM, eq. 12), sigma (eq. 16) and the bound of x0.
func (d DDIM) Coefs(plan []Step, i int) []float64 {
	from, to := plan[i].From, plan[i].To
	ratio := from.Signal / to.Signal
	sigma := d.Eta * to.Noise / from.Noise * math.Sqrt(1-ratio*ratio)
	direction := math.Sqrt(to.Noise*to.Noise - sigma*sigma)
	return []float64{from.Signal, from.Noise, to.Signal, direction, sigma, plan[i].bound()}
}

// StepGraph is DDIM, eq. 12:
//
//	x_next = sqrt(alphaBarNext) x0 + sqrt(1 - alphaBarNext - sigma^2) eps + sigma z
//
// eps stays what the network said also where x0 was clipped, as in the published code of MCVD; others derive it anew from
// the clipped x0.
func (d DDIM) StepGraph(denoise Denoiser, in State, coefs []*Node) (*Node, []*Node) {
	signal, noise, signalNext, direction, sigma, bound := coefs[0], coefs[1], coefs[2], coefs[3], coefs[4], coefs[5]
	eps := denoise(in.X, in.T)
	x0 := clippedX0(in.X, eps, signal, noise, bound)
	x := Sum(Mul(signalNext, x0), Mul(direction, eps))
	if d.Noisy() {
		x = Add(x, Mul(sigma, in.Noise))
	}
	return x, nil
}
