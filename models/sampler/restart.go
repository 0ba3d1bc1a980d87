package sampler

import (
	"fmt"
	"math"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// HeunChurn is the stochastic sampler of EDM (Karras et al. 2022, algorithm 2): before a step, noise
// is added that raises sigma by a factor, and Heun's step begins there.
type HeunChurn struct {
	raising
	Churn float64 `yaml:"churn" range:"[0, 1000]" doc:"S_churn: how much noise is added in all steps together; each raises sigma by churn/steps, at most by 0.41."`
	From  float64 `yaml:"churn_from" range:"[0, 1000]" doc:"S_min: the least sigma (noise/signal) at which noise is added."`
	To    float64 `yaml:"churn_to" range:"[0, 1e6]" doc:"S_max: the largest sigma (noise/signal) at which noise is added."`
	Noise float64 `yaml:"churn_noise" range:"[0.5, 2]" doc:"S_noise: the standard deviation of the noise that is added."`
}

// DefaultHeunChurn is what missing options mean: EDM's values for ImageNet (table 5).
func DefaultHeunChurn() HeunChurn { return HeunChurn{Churn: 40, From: 0.05, To: 50, Noise: 1.003} }

func (h HeunChurn) check() error { return interval("churn", h.From, h.To) }

// interval refuses a range of sigma in which no level can lie: the sampler would be Heun's.
func interval(name string, from, to float64) error {
	if from <= to {
		return nil
	}
	path := optionsPath + "." + name
	return configs.Problem{Path: path + "_from", Also: []string{path + "_to"},
		Text: fmt.Sprintf("%v, want at most %s_to, which is %v", from, name, to)}
}

// Steps begin at raised levels.
func (h HeunChurn) Steps(levels []diffusion.Level, s diffusion.Schedule) []Step {
	steps := Heun{}.Steps(levels, s)
	factor := 1 + min(h.Churn/float64(len(steps)), math.Sqrt2-1)
	for i, step := range steps {
		if sigma := step.From.Sigma(); step.To.Noise > 0 && sigma >= h.From && sigma <= h.To && factor > 1 {
			steps[i].At[0] = s.OfLogSNR(-2 * math.Log(sigma*factor))
		}
	}
	return steps
}

// Noisy is true.
func (HeunChurn) Noisy() bool { return true }

// Coefs are those of Heun's step, and of the noise before it.
func (h HeunChurn) Coefs(steps []Step, i int) Coefs { return raised(steps, i, h.Noise) }

// Restart makes Heun's steps, and goes through an interval of noise levels several times: after the
// last level of the interval it adds as much noise as leads back to the first (Xu et al. 2023,
// Restart sampling, algorithm 1). The noise that is added contracts errors that were made before.
type Restart struct {
	raising
	From  float64 `yaml:"restart_from" range:"[0, 1000]" doc:"The least sigma (noise/signal) of the interval."`
	To    float64 `yaml:"restart_to" range:"[0, 1e6]" doc:"The largest sigma (noise/signal) of the interval. The levels that are visited between both are visited again."`
	Times int     `yaml:"restarts" range:"[1, 100]" doc:"How many times the interval is gone through again."`
}

// DefaultRestart is what missing options mean.
func DefaultRestart() Restart { return Restart{From: 0.06, To: 1, Times: 1} }

func (r Restart) check() error { return interval("restart", r.From, r.To) }

// Steps are Heun's, with those between the levels of the interval repeated. An interval in which
// fewer than two levels are visited changes nothing.
func (r Restart) Steps(levels []diffusion.Level, s diffusion.Schedule) []Step {
	heun := Heun{}.Steps(levels, s)
	first, last := -1, -1 // levels of the interval
	for i, l := range levels {
		if sigma := l.Sigma(); sigma >= r.From && sigma <= r.To && l.Noise > 0 {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first == last {
		return heun
	}
	steps := append([]Step{}, heun[:last]...)
	for range r.Times {
		again := append([]Step{}, heun[first:last]...)
		again[0].From = levels[last]
		steps = append(steps, again...)
	}
	return append(steps, heun[last:]...)
}

// Noisy is true.
func (Restart) Noisy() bool { return true }

// Coefs are those of Heun's step, and of the noise before it where the interval begins again.
func (r Restart) Coefs(steps []Step, i int) Coefs { return raised(steps, i, 1) }
