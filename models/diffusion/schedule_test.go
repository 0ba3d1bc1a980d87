package diffusion

import (
	"math"
	"strings"
	"testing"

	"mcvd/configs"
)

func schedule(t *testing.T, d configs.Diffusion) *Discrete {
	t.Helper()
	s, err := scheduleOf(d)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*Discrete)
}

// scheduleOf is a schedule for a target that can be learned of any.
func scheduleOf(d configs.Diffusion) (Schedule, error) {
	whole := configs.Default().Diffusion
	whole.Schedule, whole.Steps, whole.Options, whole.Target = d.Schedule, d.Steps, d.Options, "x0"
	p, err := New(whole)
	if err != nil {
		return nil, err
	}
	return p.Schedule, nil
}

// linearOf is a linear schedule.
func linearOf(steps int, start, end float64) configs.Diffusion {
	return configs.Diffusion{Schedule: "linear", Steps: steps, Options: configs.Options{"beta_start": start, "beta_end": end}}
}

// standard is the published linear schedule, with the default betas.
var standard = configs.Diffusion{Schedule: "linear", Steps: 1000}

func TestLinearScheduleIsAProductOfEvenlySpacedBetas(t *testing.T) {
	s := schedule(t, standard)
	for i := range s.AlphaBar {
		// The sum of logarithms is another way to the product.
		log := 0.0
		for k := range i + 1 {
			log += math.Log1p(-(1e-4 + (0.02-1e-4)*float64(k)/999))
		}
		if want := math.Exp(log); !(math.Abs(s.AlphaBar[i]-want) <= 1e-12*want) {
			t.Fatalf("alphaBar[%d] = %g, want %g", i, s.AlphaBar[i], want)
		}
	}
}

func TestCosineScheduleIsItsFormulaUpToTheBoundOfItsLastBeta(t *testing.T) {
	for _, steps := range []int{2, 10, 1000, 4000} {
		s := schedule(t, configs.Diffusion{Schedule: "cosine", Steps: steps})
		f := func(t float64) float64 { return math.Pow(math.Cos((t+0.008)/1.008*math.Pi/2), 2) }
		for i := range steps - 1 {
			if want := f(float64(i+1)/float64(steps)) / f(0); !(math.Abs(s.AlphaBar[i]-want) <= 1e-9*want) {
				t.Fatalf("%d steps: alphaBar[%d] = %g, want %g", steps, i, s.AlphaBar[i], want)
			}
		}
		if got, want := s.AlphaBar[steps-1], 0.001*s.AlphaBar[steps-2]; !(math.Abs(got-want) <= 1e-9*want) {
			t.Errorf("%d steps: the last alphaBar is %g, want %g: the last beta is bounded by 0.999", steps, got, want)
		}
	}
}

func TestLabelsCountFromTheNoisiestTimestep(t *testing.T) {
	s := schedule(t, standard)
	if s.Label(999) != 0 || s.Label(0) != 999 {
		t.Errorf("labels %d and %d of t = 999 and 0, want 0 and 999", s.Label(999), s.Label(0))
	}
	if !(s.AlphaBar[0] > s.AlphaBar[999]) {
		t.Errorf("alphaBar is %g at t = 0 and %g at t = 999, want it to fall", s.AlphaBar[0], s.AlphaBar[999])
	}
}

// discreteSchedules are those with timesteps.
var discreteSchedules = []string{"linear", "cosine", "sigmoid"}

func TestLevelsPreserveVariance(t *testing.T) {
	for _, name := range discreteSchedules {
		d := standard
		d.Schedule = name
		s := schedule(t, d)
		last := Clean
		for i := range s.Steps() {
			l := s.At(i)
			if sum := l.Signal*l.Signal + l.Noise*l.Noise; !(math.Abs(sum-1) <= 1e-12) {
				t.Fatalf("%s: squares of signal and noise of t = %d sum to %g, want 1", name, i, sum)
			}
			if !(l.Signal < last.Signal && l.Noise > last.Noise) {
				t.Fatalf("%s: t = %d is no noisier than the one before it", name, i)
			}
			last = l
		}
	}
}

func TestImpossibleSchedulesAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		d    configs.Diffusion
		want string
	}{
		{"betas of 1", linearOf(10, 1, 1), "diffusion.options.beta_start: 1, want more than 0 to below 1"},
		{"a beta above 1", linearOf(10, 1e-4, 1.5), "diffusion.options.beta_end: 1.5, want more than 0 to 1"},
		{"a beta of 0", linearOf(10, 0, 0.5), "diffusion.options.beta_start: 0, want"},
		{"a beta that is not a number", linearOf(10, math.NaN(), 0.5), "diffusion.options.beta_start: .nan, want a finite number"},
		{"betas that fall", linearOf(10, 0.2, 0.1), "diffusion.options.beta_start: 0.2, want at most beta_end, which is 0.1"},
		{"betas of the cosine schedule", configs.Diffusion{Schedule: "cosine", Steps: 10, Options: configs.Options{"beta_end": 0.1}},
			"diffusion.options.beta_end: unknown key, want one of shift, zero_terminal"},
		{"one linear step", linearOf(1, 0.1, 0.2), "diffusion.steps: 1, want 2 or more"},
		{"one cosine step", configs.Diffusion{Schedule: "cosine", Steps: 1}, "diffusion.steps: 1, want 2 or more"},
		{"no steps", configs.Diffusion{Schedule: "linear"}, "diffusion.steps: 0, want 2 or more"},
		{"fewer than no steps", configs.Diffusion{Schedule: "cosine", Steps: -3}, "diffusion.steps: -3, want 2 or more"},
		{"an unknown name", configs.Diffusion{Schedule: "sine", Steps: 10}, "diffusion.schedule: unknown \"sine\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if s, err := scheduleOf(c.d); err == nil {
				t.Errorf("got %v, want an error", s)
			} else if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want it to say %q", err, c.want)
			}
		})
	}
}

func TestBetasThatLeaveNothingAreRefused(t *testing.T) {
	for want, betas := range map[string][]float64{
		"the test schedule of 2 steps has beta 1 at t = 0":   {1, 0.5},
		"the test schedule of 2 steps has beta 1.5 at t = 1": {0.1, 1.5},
		"the test schedule of 2 steps has beta 0 at t = 0":   {0, 0.5},
		"the test schedule of 2 steps has beta NaN at t = 1": {0.1, math.NaN()},
	} {
		if _, err := ofBetas("test", betas); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A share of the schedule is the timestep in whose part of it that lies, exactly at the ends of the
// parts, too.
func TestSharesOfADiscreteScheduleAreItsTimesteps(t *testing.T) {
	for _, steps := range []int{2, 7, 100, 1000, 9973} {
		s := schedule(t, linearOf(steps, 1e-5, 1e-4))
		for step := range steps {
			for _, u := range []float64{float64(step+1) / float64(steps), (float64(step) + 0.5) / float64(steps), (float64(step) + 0.01) / float64(steps)} {
				if got, want := s.Level(u), s.At(step); got != want {
					t.Fatalf("%d steps: the level at %g has label %g, want %g", steps, u, got.Label, want.Label)
				}
			}
		}
	}
}

func TestALastBetaOf1LeavesNoSignal(t *testing.T) {
	s := schedule(t, linearOf(10, 0.1, 1))
	if got := s.Level(1); got.Signal != 0 || got.Noise != 1 || got.Label != 0 {
		t.Errorf("the noisiest level is %+v, want no signal", got)
	}
	if got := s.Level(1).LogSNR(); !math.IsInf(got, -1) {
		t.Errorf("its log-SNR is %g, want minus infinity", got)
	}
}

func TestLogSNR(t *testing.T) {
	if got := (Level{Signal: 0.6, Noise: 0.8}).LogSNR(); !(math.Abs(got-math.Log(0.36/0.64)) <= 1e-12) {
		t.Errorf("%g, want ln(0.36/0.64)", got)
	}
	if got := Clean.LogSNR(); !math.IsInf(got, 1) {
		t.Errorf("%g of clean frames, want infinity", got)
	}
}
