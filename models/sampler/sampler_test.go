package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
)

func linear(t *testing.T) *diffusion.Schedule {
	t.Helper()
	s, err := diffusion.NewSchedule(configs.Diffusion{Schedule: "linear", Steps: 1000, BetaStart: 1e-4, BetaEnd: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func planOf(t *testing.T, s *diffusion.Schedule, c configs.Sampler) []Step {
	t.Helper()
	p, err := Plan(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// gaussian is the exact denoiser of frames whose values are independent and normal with standard deviation std.
func gaussian(s *diffusion.Schedule, std float64) Denoiser {
	slopes := make([]float32, s.Steps())
	for t := range slopes {
		slopes[t] = float32(slope(s.Level(t), std))
	}
	return func(x, t *Node) *Node {
		return Mul(x, Reshape(Gather(Const(x.Graph(), slopes), Reshape(t, 1))))
	}
}

// slope is E[eps | x] / x at a level, for frames of that standard deviation.
func slope(l diffusion.Level, std float64) float64 {
	return l.Noise / (l.Signal*l.Signal*std*std + l.Noise*l.Noise)
}

// sample runs a plan from x and returns what comes out.
func sample(t *testing.T, b compute.Backend, s Sampler, plan []Step, d Denoiser, x *tensors.Tensor, noise func(int) *tensors.Tensor) []float32 {
	t.Helper()
	loop, err := NewLoop(on(t, b), model.NewStore(), s, plan, func(*model.Scope, []*Node) Denoiser { return d })
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	if loop.Steps() != len(plan) {
		t.Errorf("%d steps of a plan of %d", loop.Steps(), len(plan))
	}
	out, err := loop.Run(context.Background(), x, nil, 0, noise, nil)
	if err != nil {
		t.Fatal(err)
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
		plan := planOf(t, s, configs.Sampler{Steps: steps})
		factor := 1.0
		for _, step := range plan {
			e := slope(step.From, std)
			factor *= step.To.Signal*(1-step.From.Noise*e)/step.From.Signal + step.To.Noise*e
		}
		got := sample(t, b, DDIM{}, plan, gaussian(s, std), clip([]float32{1, -2, 0.5}), noNoise)
		for i, x := range []float64{1, -2, 0.5} {
			if want := factor * x; !(math.Abs(float64(got[i])-want) <= 1e-5*max(1, math.Abs(x))) {
				t.Errorf("%d steps: from %g to %g, want %g", steps, x, got[i], want)
			}
		}
		t.Logf("%d steps: a standard deviation of %.6f, deviation %.1g", steps, factor, math.Abs(float64(got[0])-factor))
	}
}

// The variance that each step leaves follows from the one before it: the posterior's mean (DDPM, eq. 7) is linear in x, and
// its variance (1 - alphaBarNext)/(1 - alphaBar) beta is added. Drawing 80000 values is the only source of error.
func TestDDPMOfGaussianDataHasTheVarianceOfItsRecursion(t *testing.T) {
	const std, n = 0.25, 80000
	b, s := backendtest.Open(t), linear(t)
	for _, steps := range []int{5, 40} {
		plan := planOf(t, s, configs.Sampler{Steps: steps})
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
			got := variance(sample(t, b, sampler, plan, gaussian(s, std), normal(rng, n), func(int) *tensors.Tensor { return normal(rng, n) }))
			if !(math.Abs(got/want-1) <= 0.01) {
				t.Errorf("%s, %d steps: variance %g, want %g", name, steps, got, want)
			}
			t.Logf("%s, %d steps: variance %.6f, of the recursion %.6f, of the data %.6f", name, steps, got, want, std*std)
		}
	}
}

func TestDDIMWithEtaBetweenAddsNoiseBetween(t *testing.T) {
	s := linear(t)
	plan := planOf(t, s, configs.Sampler{Steps: 20})
	for i, step := range plan {
		none, half, all := DDIM{}.Coefs(plan, i), DDIM{Eta: 0.5}.Coefs(plan, i), DDIM{Eta: 1}.Coefs(plan, i)
		ddpm := DDPM{}.Coefs(plan, i)
		if none[4] != 0 || !(math.Abs(half[4]-all[4]/2) <= 1e-12) || !(math.Abs(all[4]-ddpm[4]) <= 1e-12) {
			t.Errorf("step %d: sigma %g, %g and %g for eta 0, 0.5 and 1, and %g for DDPM", i, none[4], half[4], all[4], ddpm[4])
		}
		for _, c := range [][]float64{none, half, all} {
			if sum := c[3]*c[3] + c[4]*c[4]; !(math.Abs(sum-step.To.Noise*step.To.Noise) <= 1e-12) {
				t.Errorf("step %d: squares of the weights of eps and of z sum to %g, want %g", i, sum, step.To.Noise*step.To.Noise)
			}
		}
	}
}

func TestClipKeepsX0WithinBounds(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	zero := func(x, _ *Node) *Node { return ZerosLike(x) } // x0 = x / signal: the values differ in size by steps of 100
	x := []float32{1e-4, 0.006, -0.006, 0.3, -5}
	for _, sampler := range []Sampler{DDIM{}, DDIM{Eta: 1}, DDPM{}} {
		name := fmt.Sprintf("%T%+v", sampler, sampler)
		once := planOf(t, s, configs.Sampler{Steps: 1, Clip: true})
		noise := func(int) *tensors.Tensor { return clip(make([]float32, len(x))) }
		signal := once[0].From.Signal
		got := sample(t, b, sampler, once, zero, clip(x), noise)
		for i, v := range x {
			want := max(-1, min(1, float64(v)/signal))
			if !(math.Abs(float64(got[i])-want) <= 1e-5) {
				t.Errorf("%s, from %g: %g, want %g", name, v, got[i], want)
			}
		}
		once[0].Clip = false
		got = sample(t, b, sampler, once, zero, clip(x), noise)
		if want := -5 / signal; !(math.Abs(float64(got[4])/want-1) <= 1e-5) {
			t.Errorf("%s, not clipped, from -5: %g, want %g", name, got[4], want)
		}
		many := sample(t, b, sampler, planOf(t, s, configs.Sampler{Steps: 10, Clip: true}), zero, clip(x), noise)
		for i, v := range many {
			if !(v >= -1 && v <= 1) {
				t.Errorf("%s: value %d is %g after 10 steps, the last of which ends at a clipped x0", name, i, v)
			}
		}
	}
}

// The last denoise asks the network at the least noisy timestep visited and subtracts what it finds, clipping nothing.
func TestLastDenoiseSubtractsTheNoiseOfTheLastTimestep(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	for _, sampler := range []Sampler{DDIM{}, DDPM{}} {
		c := configs.Sampler{Steps: 10, Clip: true, LastDenoise: true}
		plan := planOf(t, s, c)
		if len(plan) != 11 {
			t.Fatalf("%d moves, want 11", len(plan))
		}
		last := plan[10]
		if last.T != plan[9].T || last.Clip {
			t.Errorf("the last denoise is %+v after %+v", last, plan[9])
		}
		noise := s.Level(last.T).Noise
		// It says how far the timestep is from the noisiest: no other timestep gives the same.
		tell := func(x, t *Node) *Node {
			return Mul(OnesLike(x), MulScalar(ConvertDType(t, x.DType()), 0.5))
		}
		for _, x := range []float64{0.3, 7} {
			got := float64(sample(t, b, sampler, plan[10:], tell, clip([]float32{float32(x)}), noNoise)[0])
			if want := x - noise*0.5*float64(last.T); !(math.Abs(got-want) <= 1e-5) {
				t.Errorf("%T from %g: %g, want %g", sampler, x, got, want)
			}
		}
	}
}

func TestPlanVisitsTimestepsEvenlyAndEndsClean(t *testing.T) {
	s := linear(t)
	for _, steps := range []int{1, 2, 3, 7, 10, 100, 999, 1000} {
		for _, clips := range []bool{false, true} {
			plan := planOf(t, s, configs.Sampler{Steps: steps, Clip: clips})
			if len(plan) != steps {
				t.Fatalf("%d moves, want %d", len(plan), steps)
			}
			for i, step := range plan {
				if want := 999 - int(math.Floor(float64(i)*1000/float64(steps))); step.T != want || step.From != s.Level(want) {
					t.Errorf("%d steps: move %d starts at t = %d, %+v, want %d", steps, i, step.T, step.From, want)
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
		_, err := Plan(linear(t), configs.Sampler{Steps: steps})
		if want := fmt.Sprintf("sampler.steps: %d, want 1 to diffusion.steps, which is 1000", steps); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestNoiseIsAskedForWhereAStepEndsNoisy(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	for _, c := range []struct {
		sampler Sampler
		last    bool
		want    []int
	}{
		{DDIM{}, true, nil},
		{DDIM{Eta: 0.5}, false, []int{0, 1, 2}},
		{DDPM{}, false, []int{0, 1, 2}},
		{DDPM{}, true, []int{0, 1, 2}}, // neither the step to clean frames nor the last denoise
	} {
		var asked []int
		plan := planOf(t, s, configs.Sampler{Steps: 4, LastDenoise: c.last})
		sample(t, b, c.sampler, plan, gaussian(s, 1), clip([]float32{1}), func(step int) *tensors.Tensor {
			asked = append(asked, step)
			return clip([]float32{1})
		})
		if fmt.Sprint(asked) != fmt.Sprint(c.want) {
			t.Errorf("%T%+v, last denoise %t: noise asked for in steps %v, want %v", c.sampler, c.sampler, c.last, asked, c.want)
		}
	}
}

// ahead is DDPM that begins no step before the noise of the next one was asked for.
type ahead struct {
	DDPM
	t     *testing.T
	asked chan int
}

func (a ahead) Coefs(plan []Step, i int) []float64 {
	for next := -1; plan[i+1].To.Noise > 0 && next <= i; {
		select {
		case next = <-a.asked:
		case <-time.After(10 * time.Second):
			a.t.Errorf("step %d begins before noise of step %d is asked for", i, i+1)
			next = i + 1
		}
	}
	return a.DDPM.Coefs(plan, i)
}

// A run that ends early waits for the noise that is being drawn, and all noise is freed.
func TestNoiseIsDrawnWhileTheStepBeforeRuns(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	asked := make(chan int, 4)
	loop, err := NewLoop(on(t, b), model.NewStore(), ahead{t: t, asked: asked}, planOf(t, s, configs.Sampler{Steps: 4}), func(*model.Scope, []*Node) Denoiser { return gaussian(s, 1) })
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var drawn []*tensors.Tensor
	done := 0
	_, err = loop.Run(ctx, clip([]float32{1}), nil, 0, func(step int) *tensors.Tensor {
		asked <- step
		if step == 2 {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
				t.Error("the run was not canceled")
			}
		}
		drawn = append(drawn, clip([]float32{1}))
		return drawn[step]
	}, func() {
		if done++; done == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || done != 2 || len(drawn) != 3 {
		t.Errorf("error %v after %d steps and %d draws, want it canceled after 2 and 3", err, done, len(drawn))
	}
	for step, noise := range drawn {
		if noise.Ok() {
			t.Errorf("noise of step %d is still there", step)
		}
	}
}

func TestNoiseThatEndsItsGoroutineIsAnError(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	loop, err := NewLoop(on(t, b), model.NewStore(), DDPM{}, planOf(t, s, configs.Sampler{Steps: 4}), func(*model.Scope, []*Node) Denoiser { return gaussian(s, 1) })
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	_, err = loop.Run(context.Background(), clip([]float32{1}), nil, 0, func(int) *tensors.Tensor {
		runtime.Goexit() // as t.Fatal does
		return nil
	}, nil)
	if want := "sampler step 1 of 4 (t = 999): noise: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestCancelledContextEndsARunEarly(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	loop, err := NewLoop(on(t, b), model.NewStore(), DDIM{}, planOf(t, s, configs.Sampler{Steps: 10}), func(*model.Scope, []*Node) Denoiser { return gaussian(s, 1) })
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	tired := errors.New("tired")
	ctx, cancel := context.WithCancelCause(context.Background())
	done := 0
	out, err := loop.Run(ctx, clip([]float32{1}), nil, 0, nil, func() {
		if done++; done == 3 {
			cancel(tired)
		}
	})
	if out != nil || !errors.Is(err, tired) || done != 3 {
		t.Errorf("result %v, error %v after %d steps, want the cause after 3", out, err, done)
	}
}

func TestStepsThatFailNameTheStep(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	for name, d := range map[string]Denoiser{
		"a result without axes":   func(x, _ *Node) *Node { return Reshape(x, -1) },
		"a result of more values": func(x, _ *Node) *Node { return Concatenate([]*Node{x, x, x}, 2) },
	} {
		loop, err := NewLoop(on(t, b), model.NewStore(), DDIM{}, planOf(t, s, configs.Sampler{Steps: 4}), func(*model.Scope, []*Node) Denoiser { return d })
		if err != nil {
			t.Fatal(err)
		}
		_, err = loop.Run(context.Background(), clip([]float32{1, 2}), nil, 0, nil, nil)
		if want := "sampler step 1 of 4 (t = 999): "; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %q and what is wrong", name, err, want)
		}
		loop.Close()
	}
}

// Conditioning tensors reach the denoiser in order, in every step.
func TestConditionsAreBound(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	plan := planOf(t, s, configs.Sampler{Steps: 1, LastDenoise: true})
	for _, sampler := range []Sampler{DDIM{}, DDPM{}} {
		loop, err := NewLoop(on(t, b), model.NewStore(), sampler, plan[1:], func(_ *model.Scope, cond []*Node) Denoiser {
			return func(x, _ *Node) *Node { return Add(cond[0], MulScalar(cond[1], 10)) }
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := loop.Run(context.Background(), clip([]float32{5}), put(t, b, clip([]float32{1}), clip([]float32{2})), 0, noNoise, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := float64(tensors.MustCopyFlatData[float32](out)[0])
		if want := 5 - plan[1].From.Noise*21; !(math.Abs(got-want) <= 1e-5) {
			t.Errorf("%T: %g, want %g", sampler, got, want)
		}
		loop.Close()
	}
}

func TestEverySamplerOfTheTableSamples(t *testing.T) {
	const std = 0.25
	b, s := backendtest.Open(t), linear(t)
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			sampler, err := New(configs.Sampler{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			plan := planOf(t, s, configs.Sampler{Steps: 50})
			for i := range plan {
				for k, c := range sampler.Coefs(plan, i) {
					if math.IsNaN(c) || math.IsInf(c, 0) {
						t.Errorf("coefficient %d of step %d is %g", k, i, c)
					}
				}
			}
			rng := rand.New(rand.NewPCG(2, 3))
			const n = 5000
			got := variance(sample(t, b, sampler, plan, gaussian(s, std), normal(rng, n), func(int) *tensors.Tensor { return normal(rng, n) }))
			if !(math.Abs(math.Sqrt(got)-std) <= 0.05) {
				t.Errorf("standard deviation %g of 50 steps, the data has %g", math.Sqrt(got), std)
			}
		})
	}
	if _, err := New(configs.Sampler{Name: "magic"}); err == nil || !strings.Contains(err.Error(), `sampler.name: unknown "magic"`) {
		t.Errorf("error %v, want one that names the unknown sampler", err)
	}
	if s, err := New(configs.Sampler{Name: "ddim", Eta: 0.5}); err != nil || s != (DDIM{Eta: 0.5}) {
		t.Errorf("sampler %v, error %v, want DDIM with eta 0.5", s, err)
	}
}

func TestASettingWithoutEffectIsRefused(t *testing.T) {
	_, err := New(configs.Sampler{Name: "ddpm", Steps: 10, Eta: 0.5})
	if want := "sampler.eta: 0.5 has no effect because sampler.name is ddpm"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// on is one device.
func on(t testing.TB, b compute.Backend) *devices.Devices {
	t.Helper()
	d, err := devices.Open(b, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// put puts tensors on one device.
func put(t testing.TB, b compute.Backend, ts ...*tensors.Tensor) (values []devices.Value) {
	t.Helper()
	for _, x := range ts {
		v, err := on(t, b).Put(x, devices.Parts)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}
