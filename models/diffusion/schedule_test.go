package diffusion

import (
	"math"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/models/weights"
)

func schedule(t *testing.T, d configs.Diffusion) *Schedule {
	t.Helper()
	s, err := NewSchedule(d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// standard is the published linear schedule.
var standard = configs.Diffusion{Schedule: "linear", Steps: 1000, BetaStart: 1e-4, BetaEnd: 0.02}

// recorded reads a tensor of the published schedule.
func recorded(t *testing.T, name, tensor string) []float64 {
	t.Helper()
	f, err := weights.Open("testdata/schedule_" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := f.Float64s(tensor)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

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

// Recorded values are float32. Those of the cosine schedule lose digits where the cosine comes near 0, at the noisiest
// timesteps.
func TestSchedulesAreThePublishedOnes(t *testing.T) {
	for _, c := range []struct {
		name                 string
		first                int // label from which the two must agree: the published cosine schedule does not bound its last beta
		alphaBarTol, betaTol float64
	}{{"linear", 0, 1e-6, 1e-8}, {"cosine", 1, 1e-4, 5e-5}} {
		t.Run(c.name, func(t *testing.T) {
			d := standard
			d.Schedule = c.name
			s := schedule(t, d)
			alphaBars, before, betas := recorded(t, c.name, "alphas_bar"), recorded(t, c.name, "alphas_bar_prev"), recorded(t, c.name, "betas")
			if len(alphaBars) != s.Steps() {
				t.Fatalf("%d steps, the published schedule has %d", s.Steps(), len(alphaBars))
			}
			worst, worstBeta := 0.0, 0.0
			for step, got := range s.AlphaBar {
				label := s.Label(step)
				if label < c.first {
					continue
				}
				previous := 1.0
				if step > 0 {
					previous = s.AlphaBar[step-1]
				}
				d := max(math.Abs(got-alphaBars[label])/got, math.Abs(previous-before[label])/previous)
				if !(d <= c.alphaBarTol) {
					t.Errorf("t = %d: alphaBar %g after %g, published %g after %g", step, got, previous, alphaBars[label], before[label])
				}
				beta := 1 - got/previous
				db := math.Abs(beta - betas[label])
				if !(db <= c.betaTol) {
					t.Errorf("t = %d: beta %g, published %g", step, beta, betas[label])
				}
				worst, worstBeta = max(worst, d), max(worstBeta, db)
			}
			t.Logf("largest deviation: %.2g of alphaBar, beta by %.2g", worst, worstBeta)
		})
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

func TestLevelsPreserveVariance(t *testing.T) {
	for _, name := range Schedules() {
		d := standard
		d.Schedule = name
		s := schedule(t, d)
		last := Clean
		for i := range s.Steps() {
			l := s.Level(i)
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
		{"a beta of 1", configs.Diffusion{Schedule: "linear", Steps: 10, BetaStart: 0.1, BetaEnd: 1}, "beta 1 at t = 9"},
		{"a beta above 1", configs.Diffusion{Schedule: "linear", Steps: 10, BetaStart: 1e-4, BetaEnd: 1.5}, "of 10 steps has beta 1.000033"},
		{"a beta of 0", configs.Diffusion{Schedule: "linear", Steps: 10, BetaStart: 0, BetaEnd: 0.5}, "beta 0 at t = 0"},
		{"a beta that is not a number", configs.Diffusion{Schedule: "linear", Steps: 10, BetaStart: math.NaN(), BetaEnd: 0.5}, "beta NaN at t = 0"},
		{"one linear step", configs.Diffusion{Schedule: "linear", Steps: 1, BetaStart: 0.1, BetaEnd: 0.2}, "diffusion.steps: 1, want 2 or more"},
		{"one cosine step", configs.Diffusion{Schedule: "cosine", Steps: 1}, "diffusion.steps: 1, want 2 or more"},
		{"no steps", configs.Diffusion{Schedule: "linear"}, "diffusion.steps: 0, want 2 or more"},
		{"fewer than no steps", configs.Diffusion{Schedule: "cosine", Steps: -3}, "diffusion.steps: -3, want 2 or more"},
		{"an unknown name", configs.Diffusion{Schedule: "sine", Steps: 10}, "diffusion.schedule: unknown \"sine\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if s, err := NewSchedule(c.d); err == nil {
				t.Errorf("got %v, want an error", s)
			} else if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want it to say %q", err, c.want)
			}
		})
	}
}
