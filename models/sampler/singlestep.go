package sampler

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/diffusion"
)

// DPMSolver2S is DPM-Solver++(2S) (Lu et al. 2022, DPM-Solver++, algorithm 1 with r = 1/2): a second
// evaluation in the middle of each step, in log-SNR. It is of second order and needs no history.
// With eta above 0 it is ancestral, as [EulerAncestral] is.
type DPMSolver2S struct {
	Eta float64 `yaml:"eta" range:"[0, 1]" doc:"How much fresh noise a step adds: 0 for none (deterministic), 1 for as much as DDPM."`
}

// Steps evaluates the network only once in the step to clean frames, and in a step from a level
// without signal: they have no middle in log-SNR.
func (d DPMSolver2S) Steps(levels []diffusion.Level, s diffusion.Schedule) []Step {
	steps := single{}.Steps(levels, s)
	for i, step := range steps {
		if step.To.Noise > 0 && step.From.Signal > 0 {
			remains, _ := ancestral(step.From, step.To, d.Eta)
			to := step.To
			to.Noise = remains
			if remains > 0 {
				steps[i].At = append(step.At, s.OfLogSNR((step.From.LogSNR()+to.LogSNR())/2))
			}
		}
	}
	return steps
}

// History is 0: a step needs nothing from the one before.
func (DPMSolver2S) History() int { return 0 }

// Noisy is whether Eta is above 0.
func (d DPMSolver2S) Noisy() bool { return d.Eta > 0 }

// Coefs returns the weights of x and of x0 in the step to the middle and in the whole step, and the
// deviation of the noise.
func (d DPMSolver2S) Coefs(steps []Step, i int) Coefs {
	s := steps[i]
	remains, sigma := ancestral(s.From, s.To, d.Eta)
	x := remains / s.From.Noise
	c := Coefs{"x": x, "now": s.To.Signal - x*s.From.Signal, "sigma": sigma, "x_middle": 0, "now_middle": 0}
	if len(s.At) > 1 {
		c["x_middle"], c["now_middle"], _ = linearStep(Step{From: s.From, To: s.At[1]}, 0)
	}
	return c
}

// StepGraph takes the clean frames predicted in the middle for the whole step.
func (d DPMSolver2S) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	x0 := denoise(in.X, in.At[0]).X0
	if len(in.At) > 1 {
		x0 = denoise(Sum(Mul(c["x_middle"], in.X), Mul(c["now_middle"], x0)), in.At[1]).X0
	}
	x := Sum(Mul(c["x"], in.X), Mul(c["now"], x0))
	if d.Noisy() {
		x = Add(x, Mul(c["sigma"], in.Noise))
	}
	return x, nil
}
