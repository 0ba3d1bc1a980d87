package diffusion

import (
	"fmt"
	"math"

	"mcvd/configs"
)

// continuous is a schedule without timesteps: noise/signal is a function of the share of the way from
// clean frames to the noisiest level. The network is told the share, in steps of 1/T, counted from
// the noisiest level as timesteps are.
type continuous struct {
	labels   int
	sigma    func(u float64) float64 // noise/signal, may be infinite at u = 1
	share    func(sigma float64) float64
	straight bool // signal + noise is 1, instead of their squares
}

// least is the share at which a continuous schedule ends: below it there is next to no noise.
const least = 1e-3

func (c continuous) Steps() int  { return 0 }
func (c continuous) Labels() int { return c.labels }

func (c continuous) Level(u float64) Level {
	u = max(least, min(u, 1))
	l := Level{Signal: 0, Noise: 1, Label: float64(c.labels) * (1 - u)}
	if sigma := c.sigma(u); !math.IsInf(sigma, 1) {
		scale := math.Hypot(1, sigma)
		if c.straight {
			scale = 1 + sigma
		}
		l.Signal, l.Noise = 1/scale, sigma/scale
	}
	return l
}

func (c continuous) OfLabel(label float64) Level { return c.Level(1 - label/float64(c.labels)) }

func (c continuous) OfLogSNR(x float64) Level {
	if math.IsInf(x, -1) { // the noisiest with signal
		return c.Level(min(c.share(math.Inf(1)), 1-least))
	}
	return c.Level(c.share(math.Exp(-x / 2)))
}

// vp is the variance-preserving SDE with a linear beta (Song et al. 2021, Score-based generative
// modeling through SDEs, eq. 32): alphaBar(u) = exp(-int_0^u beta).
type vp struct {
	Start float64 `yaml:"vp_start" range:"(0, 10]" doc:"beta at clean frames, per unit of time."`
	End   float64 `yaml:"vp_end" range:"[0.1, 200]" doc:"beta at the noisiest level, per unit of time; at least vp_start."`
}

func (v vp) schedule(steps int) (Schedule, error) {
	if v.Start > v.End {
		return nil, configs.Problem{Path: optionsPath + ".vp_start", Also: []string{optionsPath + ".vp_end"},
			Text: fmt.Sprintf("%v, want at most vp_end, which is %v", v.Start, v.End)}
	}
	rise := v.End - v.Start
	return continuous{
		labels: steps,
		sigma:  func(u float64) float64 { return math.Sqrt(math.Expm1(u*v.Start + u*u*rise/2)) },
		share: func(sigma float64) float64 { // the root of rise/2 u^2 + start u = ln(1 + sigma^2)
			area := math.Log1p(sigma * sigma)
			return 2 * area / (v.Start + math.Sqrt(v.Start*v.Start+2*rise*area))
		},
	}, nil
}

// edm spaces sigma^(1/rho) evenly between two values (Karras et al. 2022, eq. 5). x is scaled so that
// its variance is preserved.
type edm struct {
	Min float64 `yaml:"sigma_min" range:"[1e-5, 1]" doc:"The noise/signal of the least noisy level."`
	Max float64 `yaml:"sigma_max" range:"[2, 1e5]" doc:"The noise/signal of the noisiest level."`
	Rho float64 `yaml:"sigma_rho" range:"[1, 100]" doc:"How many of the levels have little noise: 1 spaces noise/signal evenly, more puts more of them at its low end."`
}

func (e edm) schedule(steps int) (Schedule, error) {
	low, high := math.Pow(e.Min, 1/e.Rho), math.Pow(e.Max, 1/e.Rho)
	return continuous{
		labels: steps,
		sigma:  func(u float64) float64 { return math.Pow(low+u*(high-low), e.Rho) },
		share:  func(sigma float64) float64 { return min((math.Pow(sigma, 1/e.Rho)-low)/(high-low), 1) },
	}, nil
}

// ve spaces the logarithm of sigma evenly between two values, as score matching with Langevin dynamics
// and the variance-exploding SDE do (Song and Ermon 2019, section 4.3; Song et al. 2021, eq. 31). x is
// scaled so that its variance is preserved.
type ve struct {
	Min float64 `yaml:"sigma_min" range:"[1e-5, 1]" doc:"The noise/signal of the least noisy level."`
	Max float64 `yaml:"sigma_max" range:"[2, 1e5]" doc:"The noise/signal of the noisiest level; published values are about the largest distance of two clips."`
}

func (v ve) schedule(steps int) (Schedule, error) {
	rise := math.Log(v.Max / v.Min)
	return continuous{
		labels: steps,
		sigma:  func(u float64) float64 { return v.Min * math.Exp(u*rise) },
		share:  func(sigma float64) float64 { return max(0, min(math.Log(sigma/v.Min)/rise, 1)) },
	}, nil
}

// flow is the straight path of flow matching (Lipman et al. 2023; Liu et al. 2023, rectified flow):
// x = (1 - t) x0 + t eps. The shift moves t towards noise for larger frames (Esser et al. 2024, eq.
// 23).
type flow struct {
	Shift float64 `yaml:"shift" range:"[0.01, 100]" doc:"How many times as much noise there is for the signal. More than 1 suits larger frames; 1 changes nothing."`
}

func (f flow) schedule(steps int) (Schedule, error) {
	return continuous{
		labels:   steps,
		straight: true,
		sigma:    func(u float64) float64 { return f.Shift * u / (1 - u) },
		share:    func(sigma float64) float64 { return 1 / (1 + f.Shift/sigma) },
	}, nil
}
