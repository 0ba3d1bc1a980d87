package sampler

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// DDPM is ancestral sampling (Ho et al. 2020, algorithm 2). The zero DDPM has the variance of the
// posterior.
type DDPM struct {
	single
	Variance string `yaml:"step_variance" choices:"posterior beta learned" doc:"The variance of a step: that of the posterior, which is right for one video; beta, which is right for pure noise (Ho et al. 2020, section 3.2); or learned, between both (Nichol and Dhariwal 2021, eq. 15), which needs diffusion.variance: learned."`
}

// Variances of a step of the reverse process, which say where it lies between the posterior's and
// beta: see [diffusion.StepVariance].
const (
	Posterior = "posterior"
	Beta      = "beta"
	Learned   = "learned"
)

// Variances lists them.
func Variances() []string { return []string{Posterior, Beta, Learned} }

// NeedsVariance says whether a sampler uses variances that a network learned.
func NeedsVariance(s Sampler) bool { d, ok := s.(DDPM); return ok && d.Variance == Learned }

// ChecksKnown reports why a sampler can't be told frames of the block: its steps would not take a draw
// of their noisy frames to another one.
func ChecksKnown(s Sampler) (p configs.Problems) {
	if d, ok := s.(DDPM); ok {
		p.Check(d.Variance != Beta, optionsPath+".step_variance", Beta,
			"posterior with this guidance, because known frames would get more noise than their level has", "sampler.guidance.name")
	}
	return p
}

// History is 0: a step needs nothing from the one before.
func (DDPM) History() int { return 0 }

// Noisy is true.
func (DDPM) Noisy() bool { return true }

// Coefs returns the weights of x0 and of x in the posterior's mean (DDPM, eq. 7) and the standard
// deviation, or what a learned one is computed from. The step to clean frames adds no noise, whatever
// the variance.
//
// alpha is the ratio of alphaBar between one visited level and the next, so beta and the posterior are
// those of the levels that are visited (Nichol and Dhariwal 2021, section 4). The weight of x0 is
// computed from the condition that the mean keeps the signal, signalNext = weightX0 + weightX
// signal. This is equal to eq. 7, and also defined at clean frames.
func (d DDPM) Coefs(steps []Step, i int) Coefs {
	from, to := steps[i].From, steps[i].To
	x := from.Signal / to.Signal * to.Noise * to.Noise / (from.Noise * from.Noise)
	c := Coefs{"x0": to.Signal - x*from.Signal, "x": x}
	beta, posterior := diffusion.StepVariances(from, to)
	switch last := to.Noise == 0; {
	case d.Variance == Learned && last:
		c["fresh"], c["log_beta"], c["log_posterior"] = 0, 0, 0
	case d.Variance == Learned:
		c["fresh"], c["log_beta"], c["log_posterior"] = 1, math.Log(beta), math.Log(posterior)
	case d.Variance == Beta && last:
		c["sigma"] = 0
	case d.Variance == Beta:
		c["sigma"] = math.Sqrt(beta)
	default:
		_, c["sigma"] = ancestral(from, to, 1)
	}
	return c
}

// StepGraph draws from q(x_next | x, x0) (DDPM, eq. 6) with the network's x0:
//
//	x_next = weightX0 x0 + weightX x + sigma z
//
// A learned sigma is another one for each value.
func (d DDPM) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	p, sigma := denoise(in.X, in.At[0]), c["sigma"]
	if d.Variance == Learned {
		if p.Share == nil {
			exceptions.Panicf("sampler.options.step_variance: learned, but the network gives no variances")
		}
		log := diffusion.LogVarianceGraph(p.Share, c["log_beta"], c["log_posterior"])
		sigma = Mul(c["fresh"], Exp(MulScalar(log, 0.5)))
	}
	return Sum(Mul(c["x0"], p.X0), Mul(c["x"], in.X), Mul(sigma, in.Noise)), nil
}
