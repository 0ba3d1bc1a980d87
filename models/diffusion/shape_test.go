package diffusion

import (
	"math"
	"math/rand/v2"
	"testing"

	"mcvd/configs"
)

func TestAShiftMultipliesNoiseOverSignal(t *testing.T) {
	for _, name := range append([]string{"flow"}, discreteSchedules...) {
		of := func(shift float64) Schedule {
			return process(t, func(c *configs.Diffusion) {
				c.Schedule, c.Target, c.Options = name, "x0", configs.Options{"shift": shift}
			}).Schedule
		}
		plain, shifted := of(1), of(3)
		for _, u := range []float64{0.01, 0.3, 0.7, 0.99} {
			if got := shifted.Level(u).Sigma() / plain.Level(u).Sigma(); !(math.Abs(got-3) <= 1e-9) {
				t.Errorf("%s at %g: noise/signal is %g times as much, want 3", name, u, got)
			}
		}
	}
}

func TestZeroTerminalKeepsTheFirstLevelAndEndsWithoutSignal(t *testing.T) {
	for _, name := range discreteSchedules {
		of := func(zero bool) *Discrete {
			return process(t, func(c *configs.Diffusion) {
				c.Schedule, c.Target, c.Options = name, "v", configs.Options{"zero_terminal": zero}
			}).Schedule.(*Discrete)
		}
		plain, zero := of(false), of(true)
		if got := zero.At(999); got.Signal != 0 || got.Noise != 1 {
			t.Errorf("%s: the noisiest level is %+v, want no signal", name, got)
		}
		if got, want := zero.At(0).Signal, plain.At(0).Signal; !(math.Abs(got-want) <= 1e-12) {
			t.Errorf("%s: the first signal is %g, want %g", name, got, want)
		}
		ratio := func(t int) float64 {
			return (plain.At(t).Signal - zero.At(t).Signal) / (plain.At(0).Signal - plain.At(t).Signal)
		}
		if !(math.Abs(ratio(300)-ratio(800)) <= 1e-9) { // a linear map of the signal
			t.Errorf("%s: signals change by %g and %g", name, ratio(300), ratio(800))
		}
	}
}

func TestTheSigmoidScheduleIsItsFormula(t *testing.T) {
	s := schedule(t, configs.Diffusion{Schedule: "sigmoid", Steps: 100})
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, step := range []int{0, 40, 98} {
		u := float64(step+1) / 100
		want := (logistic(3) - logistic(-3+6*u)) / (logistic(3) - logistic(-3))
		if got := s.AlphaBar[step]; !(math.Abs(got-want) <= 1e-12) {
			t.Errorf("alphaBar[%d] is %g, want %g", step, got, want)
		}
	}
}

func TestContinuousSchedulesAreTheirFormulas(t *testing.T) {
	for name, sigma := range map[string]func(u float64) float64{
		"flow": func(u float64) float64 { return u / (1 - u) },
		"vp":   func(u float64) float64 { return math.Sqrt(math.Exp(0.1*u+19.9*u*u/2) - 1) },
		"edm": func(u float64) float64 {
			low, high := math.Pow(0.002, 1/7.0), math.Pow(80, 1/7.0)
			return math.Pow(low+u*(high-low), 7)
		},
	} {
		s := process(t, func(c *configs.Diffusion) { c.Schedule, c.Target = name, "x0" }).Schedule
		for _, u := range []float64{0.001, 0.1, 0.5, 0.9} {
			l := s.Level(u)
			total := math.Hypot(l.Signal, l.Noise)
			if name == "flow" {
				total = l.Signal + l.Noise
			}
			if !(math.Abs(l.Sigma()/sigma(u)-1) <= 1e-9) || !(math.Abs(total-1) <= 1e-12) || !(math.Abs(l.Label-1000*(1-u)) <= 1e-9) {
				t.Errorf("%s at %g: %+v, want noise/signal %g", name, u, l, sigma(u))
			}
			for _, back := range []Level{s.OfLabel(l.Label), s.OfLogSNR(l.LogSNR())} {
				if !(math.Abs(back.Sigma()/l.Sigma()-1) <= 1e-6) || !(math.Abs(back.Label-l.Label) <= 1e-6) {
					t.Errorf("%s at %g: %+v comes back as %+v", name, u, l, back)
				}
			}
		}
	}
}

// The moments of what is drawn, far from the ends of the schedule, are those of the distributions.
func TestLevelsAreDrawnFromTheirDistributions(t *testing.T) {
	const n = 40000
	for name, variable := range map[string]func(l Level) float64{
		"log_normal":   func(l Level) float64 { return math.Log(l.Sigma()) },
		"logit_normal": func(l Level) float64 { u := 1 - l.Label/1000; return math.Log(u / (1 - u)) },
	} {
		want := map[string][2]float64{"log_normal": {-1.2, 1.2}, "logit_normal": {0, 1}}[name]
		p := process(t, func(c *configs.Diffusion) { c.Schedule, c.Target, c.Levels = "edm", "edm", name })
		sum, square := 0.0, 0.0
		for _, l := range p.Draw(rand.New(rand.NewPCG(1, 2)), n, 3) {
			x := variable(l)
			sum, square = sum+x/n, square+x*x/n
		}
		if std := math.Sqrt(square - sum*sum); !(math.Abs(sum-want[0]) <= 0.03) || !(math.Abs(std-want[1]) <= 0.03) {
			t.Errorf("%s: mean %g and deviation %g, want %v", name, sum, std, want)
		}
	}
	p := process(t, func(c *configs.Diffusion) { c.Levels = "antithetic" })
	levels := p.Draw(rand.New(rand.NewPCG(1, 2)), 7, 3)
	for i := 0; i+1 < len(levels); i += 2 {
		if sum := levels[i].Label + levels[i+1].Label; !(math.Abs(sum-999) <= 1) {
			t.Errorf("antithetic: labels %g and %g", levels[i].Label, levels[i+1].Label)
		}
	}
}
