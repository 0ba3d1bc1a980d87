// Package diffusion is the forward process q(x_t | x_0): noise levels, what a network predicts at a
// level, the algebra between the quantities that it may predict, weights and losses.
package diffusion

import (
	"fmt"
	"math"

	"mcvd/configs"
)

// Schedule gives the noise levels between clean frames and pure noise.
type Schedule interface {
	// Level is the level at u in (0, 1], the share of the way from clean frames to the noisiest
	// level, which is at u = 1. A discrete schedule of T levels divides (0, 1] into T equal parts,
	// one for each level.
	Level(u float64) Level
	// OfLabel is the level that the network is told by a label, and OfLogSNR that of a log-SNR.
	// Solvers use them for levels between those that a spacing picks. Beyond the ends both give the
	// level at the end.
	OfLabel(label float64) Level
	OfLogSNR(x float64) Level
	// Steps is the number T of levels of a discrete schedule, 0 for a continuous one.
	Steps() int
	// Labels is diffusion.steps: labels lie between 0, the noisiest, and this.
	Labels() int
}

// Discrete is a variance-preserving schedule of T timesteps.
//
// AlphaBar[t] is the product of 1 - beta up to and including t (DDPM, section 2). t = 0 is the
// least noisy timestep, T-1 the noisiest. Schedules live on the host in float64: near t = 0, 1 -
// alphaBar loses half its digits in float32.
type Discrete struct{ AlphaBar []float64 }

// schedules are the values of diffusion.schedule, each with the defaults of its options.
var schedules = map[string]maker{
	"linear":  DefaultLinear(),
	"cosine":  cosine{Shape: unshaped},
	"sigmoid": sigmoid{Start: -3, End: 3, Temperature: 1, Shape: unshaped},
	"vp":      vp{Start: 0.1, End: 20},
	"edm":     edm{Min: 0.002, Max: 80, Rho: 7},
	"flow":    flow{Shift: 1},
	"ve":      ve{Min: 0.01, Max: 50},
}

// maker makes a schedule of so many levels.
type maker interface {
	schedule(steps int) (Schedule, error)
}

// Schedules lists the noise schedules.
func Schedules() []string { return configs.Names(schedules) }

// ofBetas makes a discrete schedule of the betas of t = 0..T-1, T being 2 or more. A beta outside
// of (0, 1] is an error. Only the last may be 1: the noisiest timestep then has no signal at all (a
// terminal signal-to-noise ratio of zero, Lin et al. 2024).
func ofBetas(name string, betas []float64) (*Discrete, error) {
	s, product := &Discrete{}, 1.0
	for t, beta := range betas {
		if last := t == len(betas)-1; !(beta > 0 && (beta < 1 || last && beta == 1)) {
			return nil, fmt.Errorf("diffusion: the %s schedule of %d steps has beta %g at t = %d, want above 0 and below 1 (the last may be 1)",
				name, len(betas), beta, t)
		}
		product *= 1 - beta
		s.AlphaBar = append(s.AlphaBar, product)
	}
	return s, nil
}

// Linear spaces the betas evenly from Start to End (DDPM, section 4).
type Linear struct {
	Start float64 `yaml:"beta_start" range:"(0, 1)" doc:"The beta of t = 0, the least noisy timestep; at most beta_end."`
	End   float64 `yaml:"beta_end" range:"(0, 1]" doc:"The beta of t = T-1, the noisiest timestep. With 1, no signal is left there."`
	Shape `yaml:",inline"`
}

// DefaultLinear is what missing options mean, for 1000 timesteps.
func DefaultLinear() Linear { return Linear{Start: 1e-4, End: 0.02, Shape: unshaped} }

func (l Linear) schedule(steps int) (Schedule, error) {
	if l.Start > l.End {
		return nil, configs.Problem{Path: optionsPath + ".beta_start", Also: []string{optionsPath + ".beta_end"},
			Text: fmt.Sprintf("%v, want at most beta_end, which is %v", l.Start, l.End)}
	}
	betas := make([]float64, steps)
	for t := range betas {
		f := float64(t) / float64(steps-1)
		betas[t] = l.Start*(1-f) + l.End*f // exact at both ends: a last beta of 1 must be seen
	}
	return l.of(ofBetas("linear", betas))
}

// maxCosineBeta bounds the cosine schedule's last betas, which would reach 1 (Nichol and Dhariwal
// 2021, section 3.2). The published code of MCVD has no such bound.
const maxCosineBeta = 0.999

// cosine has alphaBar = f(t+1)/f(0), f(t) = cos^2((t/T + s)/(1 + s) pi/2), s = 0.008 (Nichol and
// Dhariwal 2021, eq. 17).
type cosine struct {
	Shape `yaml:",inline"`
}

func (c cosine) schedule(steps int) (Schedule, error) {
	const s = 0.008
	f := func(t int) float64 {
		c := math.Cos((float64(t)/float64(steps) + s) / (1 + s) * math.Pi / 2)
		return c * c
	}
	betas := make([]float64, steps)
	for t := range betas {
		betas[t] = min(1-f(t+1)/f(t), maxCosineBeta)
	}
	return c.of(ofBetas("cosine", betas))
}

// Steps is the number T of timesteps.
func (s *Discrete) Steps() int { return len(s.AlphaBar) }

// Labels is T.
func (s *Discrete) Labels() int { return s.Steps() }

// Label is the number by which the network is told timestep t. The published networks count from
// the noisiest, 0, to the cleanest, T-1. All networks here do the same, and only this function
// knows it.
func (s *Discrete) Label(t int) int { return s.Steps() - 1 - t }

// At returns the noise level of timestep t; Signal^2 + Noise^2 = 1.
func (s *Discrete) At(t int) Level {
	return Level{Signal: math.Sqrt(s.AlphaBar[t]), Noise: math.Sqrt(1 - s.AlphaBar[t]), Label: float64(s.Label(t))}
}

// Level is the level of timestep ceil(u T) - 1.
func (s *Discrete) Level(u float64) Level {
	const slack = 1e-7 // of a timestep: u is often a fraction i/n, whose rounding must not reach the next timestep
	t := int(math.Ceil(u*float64(s.Steps())-slack)) - 1
	return s.At(max(0, min(t, s.Steps()-1)))
}
