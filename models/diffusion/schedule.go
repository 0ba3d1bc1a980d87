// Package diffusion is the forward process q(x_t | x_0), the algebra between the quantities that a network may predict, and
// the losses.
package diffusion

import (
	"fmt"
	"math"

	"mcvd/configs"
)

// Schedule is a variance-preserving noise schedule over T timesteps.
//
// AlphaBar[t] is the product of 1 - beta up to and including t (DDPM, section 2). t = 0 is the least noisy timestep, T-1 the
// noisiest. Schedules live on the host in float64: near t = 0, 1 - alphaBar loses half its digits in float32.
type Schedule struct{ AlphaBar []float64 }

// schedules are the values of diffusion.schedule. Each returns beta of t = 0..T-1, T being 2 or more.
var schedules = map[string]func(configs.Diffusion) []float64{
	"linear": linear,
	"cosine": cosine,
}

// Schedules lists the noise schedules.
func Schedules() []string { return configs.Names(schedules) }

// NewSchedule makes the schedule that the configuration names. A beta outside of (0, 1) is an error: at 1 nothing of the
// clean frames would be left, and the way back would divide by zero.
func NewSchedule(d configs.Diffusion) (*Schedule, error) {
	betas, err := configs.Pick(schedules, "diffusion.schedule", d.Schedule)
	if err != nil {
		return nil, err
	}
	if d.Steps < 2 {
		return nil, fmt.Errorf("diffusion.steps: %d, want 2 or more", d.Steps)
	}
	s, product := &Schedule{}, 1.0
	for t, beta := range betas(d) {
		if !(beta > 0 && beta < 1) {
			return nil, fmt.Errorf("diffusion: the %s schedule of %d steps has beta %g at t = %d, want above 0 and below 1", d.Schedule, d.Steps, beta, t)
		}
		product *= 1 - beta
		s.AlphaBar = append(s.AlphaBar, product)
	}
	return s, nil
}

// linear spaces the betas evenly from BetaStart to BetaEnd (DDPM, section 4).
func linear(d configs.Diffusion) []float64 {
	betas := make([]float64, d.Steps)
	for t := range betas {
		f := float64(t) / float64(d.Steps-1)
		betas[t] = d.BetaStart*(1-f) + d.BetaEnd*f // exact at both ends: a last beta of 1 must be seen
	}
	return betas
}

// maxCosineBeta bounds the cosine schedule's last betas, which would reach 1 (Nichol and Dhariwal 2021, section 3.2). The
// published code of MCVD has no such bound.
const maxCosineBeta = 0.999

// cosine has alphaBar = f(t+1)/f(0), f(t) = cos^2((t/T + s)/(1 + s) pi/2), s = 0.008 (Nichol and Dhariwal 2021, eq. 17).
func cosine(d configs.Diffusion) []float64 {
	const s = 0.008
	f := func(t int) float64 {
		c := math.Cos((float64(t)/float64(d.Steps) + s) / (1 + s) * math.Pi / 2)
		return c * c
	}
	betas := make([]float64, d.Steps)
	for t := range betas {
		betas[t] = min(1-f(t+1)/f(t), maxCosineBeta)
	}
	return betas
}

// Steps is the number T of timesteps.
func (s *Schedule) Steps() int { return len(s.AlphaBar) }

// Label is what the network is told of timestep t. The published networks count from the noisiest, 0, to the cleanest, T-1;
// so do all networks here, and this is the place that says so.
func (s *Schedule) Label(t int) int { return s.Steps() - 1 - t }

// Level is one noise level: x_t = Signal x0 + Noise eps.
type Level struct{ Signal, Noise float64 }

// Clean is the level of x0 itself.
var Clean = Level{Signal: 1}

// Level returns the noise level of timestep t; Signal^2 + Noise^2 = 1.
func (s *Schedule) Level(t int) Level {
	return Level{Signal: math.Sqrt(s.AlphaBar[t]), Noise: math.Sqrt(1 - s.AlphaBar[t])}
}
