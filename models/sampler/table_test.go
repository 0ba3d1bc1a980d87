package sampler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// evaluations is how many network evaluations n steps take; a sampler of another cost needs a line.
var evaluations = map[string]func(n int) int{
	"dpmpp_2s":   func(n int) int { return 2*n - 1 },
	"heun":       func(n int) int { return 2*n - 1 },
	"heun_churn": func(n int) int { return 2*n - 1 },
	"langevin":   func(n int) int { return 5 * n },
	"pc":         func(n int) int { return 2*n - 1 },
	"pndm":       func(n int) int { return n + 3*min(3, n-1) },
}

// schedulesOf are all schedules, and two without signal at their noisiest.
func schedulesOf(t *testing.T) map[string]diffusion.Schedule {
	t.Helper()
	all := map[string]diffusion.Schedule{}
	add := func(name string, c configs.Diffusion) {
		c.Target = "x0"
		p, err := diffusion.New(c)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = p.Schedule
	}
	for _, name := range diffusion.Schedules() {
		c := configs.Default().Diffusion
		c.Schedule = name
		add(name, c)
	}
	c := configs.Default().Diffusion
	c.Options = configs.Options{"zero_terminal": true}
	add("zero terminal", c)
	c.Steps, c.Options = 200, configs.Options{"beta_end": 1}
	add("linear without signal", c)
	return all
}

// shares are levels by hand for n steps.
func shares(n int) []any {
	var at []any
	for i := range n {
		at = append(at, 1-float64(i)/float64(n+1))
	}
	return at
}

// For every sampler, spacing and schedule and 1 to 50 steps: all coefficients are numbers, no step
// has the length 0, each step begins where the one before ended, the last one ends at the clean
// frames that it predicts, and it takes as many evaluations as it says.
func TestPlansAreRightAtTheirEnds(t *testing.T) {
	for schedule, s := range schedulesOf(t) {
		for _, spacing := range Spacings() {
			for _, name := range Names() {
				for n := 1; n <= 50; n++ {
					c := configs.Sampler{Name: name, Spacing: spacing, Steps: n}
					if spacing == "listed" {
						c.Options = configs.Options{"at": shares(n)}
					}
					what := fmt.Sprintf("%s, %s, %s, %d steps", name, spacing, schedule, n)
					sampler, err := New(c)
					if err != nil {
						t.Fatal(err)
					}
					levels, err := Levels(s, c)
					if name == "langevin" && err != nil && strings.Contains(err.Error(), "noise/signal") {
						continue // levels that it refuses
					}
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					checkPlan(t, what, sampler, Plan(sampler, s, levels, c))
					if of := evaluations[name]; name != "restart" {
						want := n
						if of != nil && levels[0].Signal > 0 {
							want = of(n)
						}
						if got := NFE(Plan(sampler, s, levels, c)); got != want && levels[0].Signal > 0 {
							t.Errorf("%s: %d evaluations, want %d", what, got, want)
						}
					}
				}
			}
		}
	}
}

func checkPlan(t *testing.T, what string, s Sampler, plan []Step) {
	t.Helper()
	for i, step := range plan {
		for name, c := range s.Coefs(plan, i) {
			if math.IsNaN(c) || math.IsInf(c, 0) {
				t.Errorf("%s: coefficient %s of step %d is %g", what, name, i, c)
			}
		}
		for _, at := range step.At {
			if !(at.Noise > 0) || math.IsNaN(at.Label) {
				t.Errorf("%s: step %d evaluates the network at %+v", what, i, at)
			}
		}
		if _, stays := s.(Langevin); !(step.To.LogSNR() > step.At[0].LogSNR()) && !(stays && step.To == step.At[0]) {
			t.Errorf("%s: step %d goes from %+v to %+v", what, i, step.At[0], step.To)
		}
		if i > 0 && step.From != plan[i-1].To {
			t.Errorf("%s: step %d begins at %+v, the one before ended at %+v", what, i, step.From, plan[i-1].To)
		}
	}
	if plan[len(plan)-1].To != diffusion.Clean {
		t.Errorf("%s: it ends at %+v", what, plan[len(plan)-1].To)
	}
}

// Where the network always predicts the same clean frames, every sampler ends with them, and in a
// step it keeps the noise that is in x, or replaces it by as much.
func TestEverySamplerEndsAtWhatIsPredicted(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	constant := func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		x0 := MulScalar(OnesLike(x), 0.3)
		return diffusion.Prediction{X0: x0, Eps: diffusion.EpsFromX0(x, x0, at.Signal, at.Noise)}
	}
	for _, name := range Names() {
		for _, n := range []int{1, 4, 12} {
			c := configs.Sampler{Name: name, Spacing: "karras", Steps: n}
			sampler, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			levels, err := Levels(s, c)
			if name == "langevin" && err != nil {
				continue // so few levels are too far apart for it; TestLangevin says how it ends
			}
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			draw := func(int) *tensors.Tensor { return normal(rng, 20000) }
			plan := Plan(sampler, s, levels, c)
			for i, v := range sample(t, b, sampler, plan, constant, clip([]float32{1, -2, 40}), func(int) *tensors.Tensor { return normal(rng, 3) }) {
				if !(math.Abs(float64(v)-0.3) <= 1e-5) {
					t.Errorf("%s, %d steps: value %d is %g, want 0.3", name, n, i, v)
				}
			}
			if n == 1 || name == "heun_churn" || name == "pndm" && n < 7 || name == "langevin" {
				continue // S_noise adds a little more; PNDM's difference of two eps is rounded in a step over all levels; TestLangevin
			}
			x := tensors.MustCopyFlatData[float32](draw(0))
			for i := range x {
				x[i] = float32(levels[0].Signal*0.3 + levels[0].Noise*float64(x[i]))
			}
			to := plan[n-2].To
			noise := sample(t, b, sampler, plan[:n-1], constant, clip(x), draw)
			for i := range noise {
				noise[i] -= float32(to.Signal * 0.3)
			}
			if got := math.Sqrt(variance(noise)); !(math.Abs(got/to.Noise-1) <= 0.02) {
				t.Errorf("%s, %d steps: a noise of %g before the last, want %g", name, n, got, to.Noise)
			}
		}
	}
}

// With many steps the samplers with noise draw from the data's distribution.
func TestStochasticSamplersHaveTheMomentsOfTheData(t *testing.T) {
	const std, n = 0.25, 100000
	// The backends' steps are compared elsewhere. Samplers of first order need more than 1000 steps.
	b, fine := backendtest.OpenGo(t), configs.Default().Diffusion
	fine.Steps, fine.Options = 2000, configs.Options{"beta_start": 5e-5, "beta_end": 0.01}
	p, err := diffusion.New(fine)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Schedule
	for _, name := range Names() {
		c := configs.Sampler{Name: name, Spacing: "log_snr", Steps: 150}
		switch name {
		case "ddpm", "euler_ancestral": // of first order
			c.Steps = 1500
		case ConsistencyName:
			continue // it is for another prediction: see TestConsistencySampling
		case "langevin":
			continue // it takes more moves than a test has time for: see TestLangevin
		case "heun_churn":
			c.Steps = 300
			c.Options = configs.Options{"churn_noise": 1} // more noise than is replaced would stay
		}
		sampler, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if !sampler.Noisy() {
			continue
		}
		levels, err := Levels(s, c)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(5, 8))
		draw := func(int) *tensors.Tensor { return normal(rng, n) }
		off := func(x *Node, at diffusion.LevelNodes) diffusion.Prediction { // data of mean 1/2
			p := gaussian(std)(Sub(x, MulScalar(at.Signal, 0.5)), at)
			p.X0 = AddScalar(p.X0, 0.5)
			return p
		}
		got := sample(t, b, sampler, Plan(sampler, s, levels, c), off, draw(0), draw)
		mean := 0.0
		for _, v := range got {
			mean += float64(v) / n
		}
		for i := range got {
			got[i] -= float32(mean)
		}
		v := variance(got)
		if !(math.Abs(mean/0.5-1) <= 0.01) || !(math.Abs(v/(std*std)-1) <= 0.01) {
			t.Errorf("%s: mean %g and variance %g, want 0.5 and %g", name, mean, v, std*std)
		}
		t.Logf("%s: mean %.4f, variance %.5f of %.5f", name, mean, v, std*std)
	}
}

// The variance of Langevin's samples of Gaussian data is known at every move: of y = x/signal it becomes
// (1 - a/v)^2 times as much, v being that of the data with noise, and 2 a is added.
func TestLangevin(t *testing.T) {
	const std, n = 0.25, 50000
	b, s := backendtest.Open(t), linear(t)
	l := Langevin{Each: 3, Rate: 0.2}
	levels, err := Levels(s, configs.Sampler{Name: "langevin", Spacing: "log_snr", Steps: 12})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Levels(s, configs.Sampler{Name: "langevin", Spacing: "uniform", Steps: 5}); err == nil || !strings.Contains(err.Error(), "noise levels 1 and 2 have a noise/signal of") {
		t.Errorf("error %v, want that 5 levels are too far apart", err)
	}
	plan := l.Steps(levels, s)
	if len(plan) != 36 {
		t.Fatalf("%d moves, want 3 at each of 12 levels", len(plan))
	}
	if c := l.Coefs(plan, 35); c["x0"] != 1 || c["x"] != 0 || c["eps"] != 0 || c["sigma"] != 0 {
		t.Errorf("the last move is %v, want the clean frames that are predicted", c)
	}
	plan = plan[:35]
	want := 1 / (levels[0].Signal * levels[0].Signal)
	for k := range plan {
		sigma := levels[k/3].Sigma()
		a, v := l.Rate*sigma*sigma, std*std+sigma*sigma
		want = (1-a/v)*(1-a/v)*want + 2*a
	}
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(int) *tensors.Tensor { return normal(rng, n) }
	got := variance(sample(t, b, l, plan, gaussian(std), draw(0), draw)) / (levels[11].Signal * levels[11].Signal)
	if !(math.Abs(got/want-1) <= 0.03) {
		t.Errorf("a variance of %g, want %g", got, want)
	}
}

// Without a corrector it is Euler's method, and with one it brings the noise back that is missing.
func TestTheCorrectorMendsTheVariance(t *testing.T) {
	const std, n = 0.25, 50000
	b, s := backendtest.Open(t), linear(t)
	levels, err := Levels(s, configs.Sampler{Name: "pc", Spacing: "log_snr", Steps: 60})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(int) *tensors.Tensor { return normal(rng, n) }
	for _, of := range []struct {
		ratio, start float64 // the deviation of the first x, which should be 1
		low, high    float64 // the deviation of the samples, which should be std
	}{{0, 0.5, 0.45, 0.55}, {0.3, 0.5, 0.98, 1.03}, {0.3, 2, 0.98, 1.03}} {
		x := tensors.MustCopyFlatData[float32](draw(0))
		for i := range x {
			x[i] *= float32(of.start)
		}
		p := PC{Ratio: of.ratio}
		got := math.Sqrt(variance(sample(t, b, p, p.Steps(levels, s), gaussian(std), clip(x), draw))) / std
		if !(of.low <= got && got <= of.high) {
			t.Errorf("ratio %g from %g: samples have %g times the deviation of the data, want %g to %g", of.ratio, of.start, got, of.low, of.high)
		}
	}
}

// From sigma 5 to 2.5 half of x remains: 2/2 + 0.2/2.
func TestAStepOfFirstOrderByHand(t *testing.T) {
	from, to := diffusion.Level{Signal: 1, Noise: 5}, diffusion.Level{Signal: 1, Noise: 2.5}
	steps := []Step{{From: from, To: to, At: []diffusion.Level{from}}}
	for _, s := range []Sampler{Euler{}, DPMSolver2M{}, DPMSolver3M{}, UniPC{Order: 3, Variant: "bh1"}} {
		c := s.Coefs(steps, 0)
		if got := c["x"]*2 + c["now"]*0.2; !(math.Abs(got-1.1) <= 1e-12) {
			t.Errorf("%T: %g, want 1.1", s, got)
		}
	}
}

func TestTheWeightsOfEqualSteps(t *testing.T) {
	var steps []Step
	for i := range 4 {
		from := sigmas{}.OfLabel(float64(5 - i))
		steps = append(steps, Step{From: from, To: sigmas{}.OfLabel(float64(4 - i)), At: []diffusion.Level{from}})
	}
	for _, s := range []Sampler{LMS{Order: 4}, PNDM{}} {
		c, to := s.Coefs(steps, 3), steps[3].To
		got := []float64{c["now"] - to.Noise - to.Signal*1, c["before"], c["before2"], c["before3"]} // x/signal = x0 + 2 eps, to 1
		for k, want := range []float64{55, -59, 37, -9} {
			if want = -to.Signal * want / 24; k == 0 {
				got[k], want = c["now"], to.Signal*2+want
			}
			if !(math.Abs(got[k]-want) <= 1e-12) {
				t.Errorf("%T: weight %d is %g, want %g", s, k, got[k], want)
			}
		}
	}
}

func TestSpacings(t *testing.T) {
	s := linear(t)
	levels := func(spacing string, n int, o configs.Options) []diffusion.Level {
		t.Helper()
		l, err := Levels(s, configs.Sampler{Name: "euler", Spacing: spacing, Steps: n, Options: o})
		if err != nil {
			t.Fatal(err)
		}
		return l[:n]
	}
	timesteps := func(l []diffusion.Level) string {
		var at []string
		for _, l := range l {
			at = append(at, fmt.Sprintf("%.6g", 999-l.Label))
		}
		return strings.Join(at, " ")
	}
	for _, c := range []struct {
		spacing string
		options configs.Options
		want    string
	}{
		{"uniform", nil, "999 799 599 399 199"},
		{"leading", nil, "800 600 400 200 0"},
		{"linspace", nil, "999 749 499 249 0"},
		{"listed", configs.Options{"at": []any{1.0, 0.5, 0.2, 0.1, 0.001}}, "999 499 199 99 0"},
		{"quadratic", nil, "799.2 449.55 199.8 49.95 0"},
	} {
		if got := timesteps(levels(c.spacing, 5, c.options)); got != c.want {
			t.Errorf("%s: timesteps %s, want %s", c.spacing, got, c.want)
		}
	}
	high, low := s.At(999).Sigma(), s.At(0).Sigma()
	for i := range 10 {
		f := float64(i) / 9
		for spacing, want := range map[string]float64{
			"karras":  math.Pow(math.Pow(high, 1/7.0)*(1-f)+math.Pow(low, 1/7.0)*f, 7),
			"log_snr": math.Pow(high, 1-f) * math.Pow(low, f),
		} {
			l := levels(spacing, 10, nil)[i]
			if !(math.Abs(l.Sigma()/want-1) <= 1e-9) {
				t.Errorf("%s: level %d has sigma %g, want %g", spacing, i, l.Sigma(), want)
			}
			near := s.OfLabel(l.Label)
			if !(math.Abs(near.LogSNR()-l.LogSNR()) <= 1e-9) {
				t.Errorf("%s: level %d has a label of log-SNR %g, want %g", spacing, i, near.LogSNR(), l.LogSNR())
			}
		}
	}
	for _, c := range []struct {
		at   []any
		want string
	}{
		{[]any{1.0, 0.5}, "sampler.options.at: 2 levels, want sampler.steps, which is 3"},
		{[]any{1.0, 0.5, 0.5}, "sampler.options.at[2]: 0.5, want less than 0.5, the level before"},
		{[]any{1.2, 0.5, 0.1}, "sampler.options.at[0]: 1.2, want more than 0 to 1"},
		{[]any{1.0, 0.0005, 0.0001}, "sampler.spacing: listed puts 3 steps on the same noise levels (step 3), want fewer sampler.steps"},
	} {
		_, err := Levels(s, configs.Sampler{Name: "euler", Spacing: "listed", Steps: 3, Options: configs.Options{"at": c.at}})
		if err == nil || err.Error() != c.want {
			t.Errorf("%v: error %v, want %s", c.at, err, c.want)
		}
	}
}
