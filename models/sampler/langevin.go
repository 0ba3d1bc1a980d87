package sampler

import (
	"errors"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/diffusion"
)

// Langevin is annealed Langevin dynamics (Song and Ermon 2020, Improved techniques for training
// score-based generative models, algorithm 1; that of 2019 has half of its rate): at each noise level x
// moves along the score, with noise, until it looks like data with that much noise.
type Langevin struct {
	Each int     `yaml:"langevin_steps" range:"[1, 1000]" doc:"T: how many moves, each with a network evaluation, are made at a noise level."`
	Rate float64 `yaml:"langevin_rate" range:"[1e-6, 1]" doc:"The step size in units of the squared sigma (noise/signal); the published step size, epsilon, is this times the square of the least sigma."`
}

// DefaultLangevin is what missing options mean: the published values for CIFAR-10 (table 3, with a
// least sigma of 0.01).
func DefaultLangevin() Langevin { return Langevin{Each: 5, Rate: 0.062} }

// farthest is how many times as much sigma a level may have as the next one. Between levels that are
// farther apart, a few moves can't remove the noise that is too much.
const farthest = 3

// suits refuses levels that lie too far apart, or that have no signal.
func (Langevin) suits(levels []diffusion.Level) error {
	if levels[0].Signal == 0 {
		return errors.New("the noisiest level has no signal, so its noise/signal is infinite: want another diffusion.schedule, such as ve")
	}
	for i, l := range levels[:len(levels)-1] {
		if next := levels[i+1]; !(l.Sigma()/next.Sigma() <= farthest) {
			return fmt.Errorf("noise levels %d and %d have a noise/signal of %.4g and %.4g, want at most %d times as much: raise sampler.steps, or set sampler.spacing to log_snr",
				i+1, i+2, l.Sigma(), next.Sigma(), farthest)
		}
	}
	return nil
}

// Steps stay at a level for all moves but the last, which goes on to the next level. So unlike all
// other samplers, this one has steps that end where they begin. In place of the very last move, clean
// frames are predicted.
func (l Langevin) Steps(levels []diffusion.Level, s diffusion.Schedule) []Step {
	var steps []Step
	for _, step := range (single{}).Steps(levels, s) {
		stay := step
		stay.To = step.From
		for range l.Each - 1 {
			steps = append(steps, stay)
		}
		steps = append(steps, step)
	}
	return steps
}

// History is 0: a move needs nothing from the one before.
func (Langevin) History() int { return 0 }

// Noisy is true.
func (Langevin) Noisy() bool { return true }

// Coefs returns the weights of x, of the predicted noise, of x0 and of fresh noise in
// [Langevin.StepGraph].
func (l Langevin) Coefs(steps []Step, i int) Coefs {
	from, to := steps[i].From, steps[i].To
	if to.Noise == 0 { // clean frames
		return Coefs{"x": 0, "eps": 0, "x0": 1, "sigma": 0}
	}
	noise := to.Signal * from.Sigma()
	return Coefs{"x": to.Signal / from.Signal, "eps": -l.Rate * noise, "x0": 0, "sigma": math.Sqrt(2*l.Rate) * noise}
}

// StepGraph moves y = x/signal, whose score is -eps/sigma, by the step size a = rate sigma^2:
//
//	y_next = y + a score + sqrt(2 a) z
func (Langevin) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	p := denoise(in.X, in.At[0])
	return Sum(Mul(c["x"], in.X), Mul(c["eps"], p.Eps), Mul(c["x0"], p.X0), Mul(c["sigma"], in.Noise)), nil
}

// PC is predictor and corrector (Song et al. 2021, Score-based generative modeling through stochastic
// differential equations, algorithm 1): a step of Euler's on the probability-flow ODE, then a move of
// Langevin dynamics at the level where it ends.
type PC struct {
	Ratio float64 `yaml:"pc_ratio" range:"[0, 0.5]" doc:"r: the norm of what the corrector's score adds, in units of that of its noise; 0 for no corrector."`
}

// History is 0: a step needs nothing from the one before.
func (PC) History() int { return 0 }

// Noisy is whether there is a corrector.
func (p PC) Noisy() bool { return p.Ratio > 0 }

// Steps evaluates the network at both ends of a step, as [Heun.Steps] does, if there is a corrector.
func (p PC) Steps(levels []diffusion.Level, s diffusion.Schedule) []Step {
	if p.Ratio == 0 {
		return single{}.Steps(levels, s)
	}
	return Heun{}.Steps(levels, s)
}

// Coefs returns the weights of x and x0 in Euler's step, and those of the predicted noise and of fresh
// noise in the corrector. Its step size is 2 (r |z| / |score|)^2 (Song et al. 2021, algorithm 4;
// algorithm 5, for VP, has a factor close to 1, too), where the score has the norm that it has in the
// mean, |z|/noise.
func (p PC) Coefs(steps []Step, i int) Coefs {
	c := Heun{}.Coefs(steps, i)
	noise := steps[i].To.Noise
	return Coefs{"x": c["x"], "euler": c["euler"], "eps": -2 * p.Ratio * p.Ratio * noise, "sigma": 2 * p.Ratio * noise}
}

// StepGraph makes Euler's step, and then moves x along the score -eps/noise by the step size a:
//
//	x_next = x + a score + sqrt(2 a) z
func (p PC) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	x := Sum(Mul(c["x"], in.X), Mul(c["euler"], denoise(in.X, in.At[0]).X0))
	if len(in.At) == 1 {
		return x, nil
	}
	return Sum(x, Mul(c["eps"], denoise(x, in.At[1]).Eps), Mul(c["sigma"], in.Noise)), nil
}
