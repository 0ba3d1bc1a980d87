package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

func linear(t *testing.T) *diffusion.Discrete {
	t.Helper()
	return process(t).Schedule.(*diffusion.Discrete)
}

// process is the published one.
func process(t *testing.T) *diffusion.Process {
	t.Helper()
	p, err := diffusion.New(configs.Default().Diffusion)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tableOf is every sampler with its default options.
func tableOf(t *testing.T) []Sampler {
	t.Helper()
	var all []Sampler
	for _, name := range Names() {
		s, err := New(configs.Sampler{Name: name, Spacing: "uniform"})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func levelsOf(t *testing.T, s diffusion.Schedule, c configs.Sampler) []diffusion.Level {
	t.Helper()
	c.Name, c.Spacing = "ddim", "uniform"
	levels, err := Levels(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return levels
}

func planOf(t *testing.T, s diffusion.Schedule, sampler Sampler, c configs.Sampler) []Step {
	t.Helper()
	return Plan(sampler, s, levelsOf(t, s, c), c)
}

// saying is a denoiser whose network predicts eps.
func saying(eps func(x *Node, at diffusion.LevelNodes) *Node) Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		e := eps(x, at)
		return diffusion.Prediction{X0: diffusion.X0FromEps(x, e, at.Signal, at.Noise), Eps: e}
	}
}

// gaussian is the exact denoiser of frames whose values are independent and normal with standard
// deviation std: x0 and eps are regressions on x, finite at every level.
func gaussian(std float64) Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		power := Add(MulScalar(Square(at.Signal), std*std), Square(at.Noise))
		return diffusion.Prediction{X0: Mul(x, Div(MulScalar(at.Signal, std*std), power)), Eps: Mul(x, Div(at.Noise, power))}
	}
}

// slope is E[eps | x] / x at a level, for frames of that standard deviation.
func slope(l diffusion.Level, std float64) float64 {
	return l.Noise / (l.Signal*l.Signal*std*std + l.Noise*l.Noise)
}

// loopOf is a loop with a denoiser that needs no conditions.
func loopOf(t *testing.T, b compute.Backend, s Sampler, d Denoiser) *Loop {
	t.Helper()
	loop, err := NewLoop(on(t, b), model.NewStore(), s, process(t), 0, func(*model.Scope, []*Node, []*Node) Denoiser { return d })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loop.Close)
	return loop
}

// sample makes steps from x and returns what comes out.
func sample(t *testing.T, b compute.Backend, s Sampler, steps []Step, d Denoiser, x *tensors.Tensor, noise func(int) *tensors.Tensor) []float32 {
	t.Helper()
	evaluations := 0
	out, err := loopOf(t, b, s, d).Run(context.Background(), x, nil, steps, noise, func() { evaluations++ })
	if err != nil {
		t.Fatal(err)
	}
	if evaluations != NFE(steps) {
		t.Errorf("%d evaluations, want %d", evaluations, NFE(steps))
	}
	return tensors.MustCopyFlatData[float32](out)
}

// normal returns standard normal tensors of n values: clips of one frame.
func normal(rng *rand.Rand, n int) *tensors.Tensor {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return clip(v)
}

func clip(v []float32) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(v, 1, 1, len(v), 1, 1)
}

func variance(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return sum / float64(len(v))
}

func noNoise(step int) *tensors.Tensor { panic(fmt.Sprintf("noise asked for in step %d", step)) }

func TestDDIMOfGaussianDataIsAProductOfFactors(t *testing.T) {
	const std = 0.25
	b, s := backendtest.Open(t), linear(t)
	for _, steps := range []int{1, 10, 50, 1000} {
		plan := planOf(t, s, DDIM{}, configs.Sampler{Steps: steps})
		factor := 1.0
		for _, step := range plan {
			e := slope(step.From, std)
			factor *= step.To.Signal*(1-step.From.Noise*e)/step.From.Signal + step.To.Noise*e
		}
		got := sample(t, b, DDIM{}, plan, gaussian(std), clip([]float32{1, -2, 0.5}), noNoise)
		for i, x := range []float64{1, -2, 0.5} {
			if want := factor * x; !(math.Abs(float64(got[i])-want) <= 1e-5*max(1, math.Abs(x))) {
				t.Errorf("%d steps: from %g to %g, want %g", steps, x, got[i], want)
			}
		}
		t.Logf("%d steps: a standard deviation of %.6f, deviation %.1g", steps, factor, math.Abs(float64(got[0])-factor))
	}
}

// The variance that each step leaves follows from the one before it: the posterior's mean (DDPM,
// eq. 7) is linear in x, and its variance (1 - alphaBarNext)/(1 - alphaBar) beta is added. Drawing
// 80000 values is the only source of error.
func TestDDPMOfGaussianDataHasTheVarianceOfItsRecursion(t *testing.T) {
	const std, n = 0.25, 80000
	b, s := backendtest.Open(t), linear(t)
	for _, steps := range []int{5, 40} {
		plan := planOf(t, s, DDPM{}, configs.Sampler{Steps: steps})
		want := 1.0
		for _, step := range plan {
			from, to := step.From.Signal*step.From.Signal, step.To.Signal*step.To.Signal // alphaBar
			alpha := from / to
			x0 := (1 - step.From.Noise*slope(step.From, std)) / step.From.Signal
			mean := math.Sqrt(to)*(1-alpha)/(1-from)*x0 + math.Sqrt(alpha)*(1-to)/(1-from)
			want = mean*mean*want + (1-to)/(1-from)*(1-alpha)
		}
		for name, sampler := range map[string]Sampler{"ddpm": DDPM{}, "ddim with eta 1": DDIM{Eta: 1}} {
			rng := rand.New(rand.NewPCG(1, uint64(steps)))
			got := variance(sample(t, b, sampler, plan, gaussian(std), normal(rng, n), func(int) *tensors.Tensor { return normal(rng, n) }))
			if !(math.Abs(got/want-1) <= 0.01) {
				t.Errorf("%s, %d steps: variance %g, want %g", name, steps, got, want)
			}
			t.Logf("%s, %d steps: variance %.6f, of the recursion %.6f, of the data %.6f", name, steps, got, want, std*std)
		}
	}
}

func TestDDIMWithEtaBetweenAddsNoiseBetween(t *testing.T) {
	s := linear(t)
	plan := planOf(t, s, DDIM{}, configs.Sampler{Steps: 20})
	for i, step := range plan {
		none, half, all := DDIM{}.Coefs(plan, i), DDIM{Eta: 0.5}.Coefs(plan, i), DDIM{Eta: 1}.Coefs(plan, i)
		ddpm := DDPM{}.Coefs(plan, i)
		if none["sigma"] != 0 || !(math.Abs(half["sigma"]-all["sigma"]/2) <= 1e-12) || !(math.Abs(all["sigma"]-ddpm["sigma"]) <= 1e-12) {
			t.Errorf("step %d: sigma of %v, %v and %v for eta 0, 0.5 and 1, and of %v for DDPM", i, none, half, all, ddpm)
		}
		for _, c := range []Coefs{none, half, all} {
			if sum := c["direction"]*c["direction"] + c["sigma"]*c["sigma"]; !(math.Abs(sum-step.To.Noise*step.To.Noise) <= 1e-12) {
				t.Errorf("step %d: squares of the weights of eps and of z sum to %g, want %g", i, sum, step.To.Noise*step.To.Noise)
			}
		}
	}
}

func TestClipKeepsX0WithinBounds(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	// x0 = x / signal: the values differ in size by steps of 100.
	zero := saying(func(x *Node, _ diffusion.LevelNodes) *Node { return ZerosLike(x) })
	x := []float32{1e-4, 0.006, -0.006, 0.3, -5}
	for _, sampler := range tableOf(t) {
		name := fmt.Sprintf("%T%+v", sampler, sampler)
		once := planOf(t, s, sampler, configs.Sampler{Steps: 1, Clip: true})
		noise := func(int) *tensors.Tensor { return clip(make([]float32, len(x))) }
		signal := once[0].From.Signal
		got := sample(t, b, sampler, once, zero, clip(x), noise)
		for i, v := range x {
			want := max(-1, min(1, float64(v)/signal))
			if !(math.Abs(float64(got[i])-want) <= 1e-5) {
				t.Errorf("%s, from %g: %g, want %g", name, v, got[i], want)
			}
		}
		for i := range once { // Langevin dynamics make several at a level
			once[i].Clip = false
		}
		got = sample(t, b, sampler, once, zero, clip(x), noise)
		if want := -5 / signal; !(math.Abs(float64(got[4])/want-1) <= 1e-5) {
			t.Errorf("%s, not clipped, from -5: %g, want %g", name, got[4], want)
		}
		many := sample(t, b, sampler, planOf(t, s, sampler, configs.Sampler{Steps: 10, Clip: true}), zero, clip(x), noise)
		for i, v := range many {
			if !(v >= -1 && v <= 1) {
				t.Errorf("%s: value %d is %g after 10 steps, the last of which ends at a clipped x0", name, i, v)
			}
		}
	}
}

// The last denoise asks the network at the least noisy level visited and subtracts what it finds,
// clipping nothing.
func TestLastDenoiseSubtractsTheNoiseOfTheLastLevel(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	for _, sampler := range tableOf(t) {
		c := configs.Sampler{Steps: 10, Clip: true, LastDenoise: true}
		plan := planOf(t, s, sampler, c)
		c.LastDenoise = false
		n := len(planOf(t, s, sampler, c))
		if len(plan) != n+1 {
			t.Fatalf("%T: %d steps, want %d", sampler, len(plan), n+1)
		}
		last, before := plan[n], plan[n-1]
		if last.At[0].Label != before.At[0].Label || last.Clip || last.To != diffusion.Clean || len(last.At) != 1 {
			t.Errorf("the last denoise is %+v after %+v", last, before)
		}
		// It says how far the level is from the noisiest: no other level gives the same.
		tell := saying(func(x *Node, at diffusion.LevelNodes) *Node { return Mul(OnesLike(x), MulScalar(at.Label, 0.005)) })
		for _, x := range []float64{0.3, 7} {
			got := float64(sample(t, b, sampler, plan[n:], tell, clip([]float32{float32(x)}), noNoise)[0])
			if want := x - before.From.Noise*0.005*last.At[0].Label; !(math.Abs(got-want) <= 1e-5) {
				t.Errorf("%T from %g: %g, want %g", sampler, x, got, want)
			}
		}
	}
}

func TestPlanVisitsLevelsEvenlyAndEndsClean(t *testing.T) {
	s := linear(t)
	for _, steps := range []int{1, 2, 3, 7, 10, 100, 999, 1000} {
		for _, clips := range []bool{false, true} {
			plan := planOf(t, s, DDIM{}, configs.Sampler{Steps: steps, Clip: clips})
			if len(plan) != steps || NFE(plan) != steps {
				t.Fatalf("%d moves and %d evaluations, want %d", len(plan), NFE(plan), steps)
			}
			for i, step := range plan {
				want := s.At(999 - int(math.Floor(float64(i)*1000/float64(steps))))
				if step.From != want || len(step.At) != 1 || step.At[0] != want {
					t.Errorf("%d steps: move %d starts at %+v and asks at %+v, want %+v", steps, i, step.From, step.At, want)
				}
				to := diffusion.Clean
				if i+1 < steps {
					to = plan[i+1].From
				}
				if step.To != to || step.Clip != clips {
					t.Errorf("%d steps: move %d is %+v, want it to end at %+v", steps, i, step, to)
				}
			}
		}
	}
}

func TestPlansOutOfRangeAreRefused(t *testing.T) {
	for _, steps := range []int{-1, 0, 1001} {
		_, err := Levels(linear(t), configs.Sampler{Name: "ddim", Steps: steps, Spacing: "uniform"})
		if want := fmt.Sprintf("sampler.steps: %d, want 1 to diffusion.steps, which is 1000", steps); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// From any level on, a schedule without signal at its noisiest included, every coefficient is a
// number, and samples have the standard deviation of the data.
func TestEverySamplerOfTheTableSamples(t *testing.T) {
	const std = 0.25
	b := backendtest.Open(t)
	silent := configs.Default().Diffusion
	silent.Target, silent.Steps, silent.Options = "v", 200, configs.Options{"beta_end": 1}
	withoutSignal, err := diffusion.New(silent)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		if name == "langevin" || name == ConsistencyName {
			continue // one refuses such levels, the other is for another prediction
		}
		for _, s := range []diffusion.Schedule{linear(t), withoutSignal.Schedule} {
			t.Run(fmt.Sprintf("%s from a signal of %.3g", name, s.Level(1).Signal), func(t *testing.T) {
				sampler, err := New(configs.Sampler{Name: name, Spacing: "uniform"})
				if err != nil {
					t.Fatal(err)
				}
				plan := planOf(t, s, sampler, configs.Sampler{Steps: 50, LastDenoise: true})
				for i := range plan {
					for coef, c := range sampler.Coefs(plan, i) {
						if math.IsNaN(c) || math.IsInf(c, 0) {
							t.Errorf("coefficient %s of step %d is %g", coef, i, c)
						}
					}
				}
				rng := rand.New(rand.NewPCG(2, 3))
				const n = 5000
				got := variance(sample(t, b, sampler, plan[:len(plan)-1], gaussian(std), normal(rng, n), func(int) *tensors.Tensor { return normal(rng, n) }))
				if name == "pndm" && s.Level(1).Signal == 0 {
					return // its weights take no account of noise that falls by a factor of 100 in a step
				}
				tolerance := 0.05
				if s.Level(1).Signal == 0 {
					tolerance = 0.1 // the first step, from nothing, is a long one
				}
				if !(math.Abs(math.Sqrt(got)-std) <= tolerance) {
					t.Errorf("standard deviation %g of 50 steps, the data has %g", math.Sqrt(got), std)
				}
			})
		}
	}
	if _, err := New(configs.Sampler{Name: "magic", Spacing: "uniform"}); err == nil || !strings.Contains(err.Error(), `sampler.name: unknown "magic"`) {
		t.Errorf("error %v, want one that names the unknown sampler", err)
	}
	if s, err := New(configs.Sampler{Name: "ddim", Spacing: "uniform", Options: configs.Options{"eta": 0.5}}); err != nil || s != (DDIM{Eta: 0.5}) {
		t.Errorf("sampler %v, error %v, want DDIM with eta 0.5", s, err)
	}
}

func TestASettingWithoutEffectIsRefused(t *testing.T) {
	for _, name := range Names() {
		_, err := New(configs.Sampler{Name: name, Spacing: "uniform", Steps: 10, Options: configs.Options{"zeta": 0.5}})
		if err == nil || !strings.Contains(err.Error(), "sampler.options.zeta: unknown key") {
			t.Errorf("%s: error %v, want one that names the setting", name, err)
		}
	}
	_, err := New(configs.Sampler{Name: "heun", Spacing: "uniform", Steps: 10, Options: configs.Options{"eta": 0.5}})
	if want := "sampler.options.eta: unknown key, want none here"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// An interval that no level can lie in would silently make both samplers Heun's.
func TestEmptyIntervalsAreRefused(t *testing.T) {
	for name, option := range map[string]string{"heun_churn": "churn", "restart": "restart"} {
		c := configs.Sampler{Name: name, Spacing: "uniform", Options: configs.Options{option + "_from": 2.0, option + "_to": 1.5}}
		want := fmt.Sprintf("sampler.options.%s_from: 2, want at most %s_to, which is 1.5", option, option)
		if _, err := New(c); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		c.Options[option+"_to"] = 2.0
		if _, err := New(c); err != nil {
			t.Errorf("%s: an interval of one sigma: %v", name, err)
		}
	}
}
