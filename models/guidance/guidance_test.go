package guidance

import (
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// frames are those of the tests: three conditioning frames.
var frames = configs.Frames{Past: 2, Current: 1, Future: 1, Mask: configs.Mask{Past: 0.5, Future: 0.5}}

// by are the weights of the conditioning frames in linear.
var by = []float64{0.25, 1, -0.5}

// linear is a network whose x0 is 0.5 x + sum over visible frames of by: linear in everything.
func linear(visible *Node) sampler.Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		weights := Const(visible.Graph(), []float32{float32(by[0]), float32(by[1]), float32(by[2])})
		shift := Reshape(ReduceSum(Mul(visible, InsertAxes(weights, 0)), 1), -1, 1, 1, 1, 1)
		x0 := Add(MulScalar(x, 0.5), shift)
		return diffusion.Prediction{X0: x0, Eps: diffusion.EpsFromX0(x, x0, at.Signal, at.Noise)}
	}
}

// noisy are two clips of one frame with four values.
var noisy = [][]float64{{0.5, -0.25, 0.75, 0.125}, {-1, 0.5, 0.25, 0}}

// result is what a guidance makes of both clips, flat, and what it remembers.
type result struct{ x0, eps, memory []float32 }

// run guides linear at a level, with all conditioning frames visible and that memory.
func run(t *testing.T, c configs.Guidance, level diffusion.Level, memory []float32) (r result) {
	t.Helper()
	p, err := New(c, frames)
	if err != nil {
		t.Fatal(err)
	}
	flat := make([]float32, 0, 8)
	for _, clip := range noisy {
		for _, v := range clip {
			flat = append(flat, float32(v))
		}
	}
	clips := func(v []float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, 2, 1, 2, 2, 1) }
	out := backendtest.Run(t, func(in []*Node) []*Node {
		g := in[0].Graph()
		at := diffusion.LevelNodes{Signal: Const(g, float32(level.Signal)), Noise: Const(g, float32(level.Noise))}
		remembered := []*Node{in[1]}[:p.Memory()]
		made := p.Guide(linear(p.Hide(Ones(g, in[2].Shape()))), Others{}, Block{}, remembered)(in[0], at)
		return append([]*Node{made.X0, made.Eps}, remembered...)
	}, clips(flat), clips(append([]float32{}, memory...)), [][]float32{{1, 1, 1}, {1, 1, 1}})
	r.x0, r.eps = out[0], out[1]
	if len(out) > 2 {
		r.memory = out[2]
	}
	return r
}

var (
	level  = diffusion.Level{Signal: 0.8, Noise: 0.6}
	zeros  = make([]float32, 8)
	shifts = func(shift float64) (want []float64) { // x0 of linear
		for _, clip := range noisy {
			for _, x := range clip {
				want = append(want, 0.5*x+shift)
			}
		}
		return want
	}
)

func frameScales(past, future float64) configs.Guidance {
	return configs.Guidance{Name: "frames", Options: configs.Options{"past_scale": past, "future_scale": future}}
}

// with adds options to scales of frames.
func with(g configs.Guidance, options configs.Options) configs.Guidance {
	for name, value := range options {
		g.Options[name] = value
	}
	return g
}

func check(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(float64(got[i])-want[i]) <= 1e-5) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

func TestX0OfALinearNetwork(t *testing.T) {
	history := func(o configs.Options) configs.Guidance { return configs.Guidance{Name: "history", Options: o} }
	for _, c := range []struct {
		guide configs.Guidance
		shift float64
	}{
		{configs.Guidance{Name: "none"}, 0.75},
		{configs.Guidance{}, 0.75},
		{frameScales(1, 1), 0.75},
		{frameScales(0, 0), 0},
		{frameScales(1, 0), 1.25},
		{frameScales(3, 3), 2.25},
		{frameScales(3, 1), 3.25},
		{frameScales(0.5, 4), 0.625 - 2},
		{frameScales(0, 2), -1},
		{history(configs.Options{"scale": 1.0}), 0.75},
		{history(configs.Options{"scale": 0.0}), -0.5},
		{history(configs.Options{"scale": 2.0}), 2.5 - 0.5},
		{history(configs.Options{"scale": 2.0, "lengths": []int{1}, "scales": []float64{4}}), 2.5 + 3*1 - 0.5},
		{history(configs.Options{"scale": 1.0, "lengths": []int{1}, "scales": []float64{0.5}}), 1.25 - 0.5*1 - 0.5},
	} {
		r := run(t, c.guide, level, zeros)
		want := shifts(c.shift)
		check(t, Describe(c.guide)+" x0", r.x0, want)
		for i, x := range slices.Concat(noisy...) {
			want[i] = (x - 0.8*want[i]) / 0.6
		}
		check(t, Describe(c.guide)+" eps", r.eps, want)
	}
}

// Outside of the interval no bit changes, and its bounds are inside.
func TestInterval(t *testing.T) {
	without := run(t, configs.Guidance{}, level, zeros)
	for _, c := range []struct {
		min, max float64
		inside   bool
	}{{0, 0, true}, {0.5, 0, true}, {0.745, 0, true}, {0.7, 1, true}, {0.76, 0, false}, {0.76, 2, false}, {0, 0.74, false}, {0, 0.76, true}} {
		guide := with(frameScales(3, 3), configs.Options{"sigma_min": c.min, "sigma_max": c.max})
		r := run(t, guide, level, zeros)
		outside := diffusion.Level{Signal: 1, Noise: 1e9}
		if c.max == 0 {
			outside.Noise = -1
		}
		if p, err := New(guide, frames); err != nil || p.Reaches([]diffusion.Level{outside}) || p.Reaches([]diffusion.Level{outside, level}) != c.inside {
			t.Errorf("%v: wrong about sigma 0.75, or %v", c, err)
		}
		if c.inside {
			check(t, "inside", r.x0, shifts(2.25))
		} else if !slices.Equal(r.x0, without.x0) || !slices.Equal(r.eps, without.eps) {
			t.Errorf("%v: x0 %v and eps %v, want %v", c, r.x0, r.eps, without)
		}
	}
	silent := run(t, with(frameScales(3, 3), configs.Options{"sigma_max": 100.0}), diffusion.Level{Signal: 0, Noise: 1}, zeros)
	check(t, "without signal, above all bounds", silent.x0, shifts(0.75))
}

// spread is the standard deviation of each clip.
func spread(values []float64) (of []float64) {
	for clip := range slices.Chunk(values, 4) {
		mean, square := 0.0, 0.0
		for _, v := range clip {
			mean += v / 4
		}
		for _, v := range clip {
			square += (v - mean) * (v - mean) / 4
		}
		of = append(of, math.Sqrt(square))
	}
	return of
}

func wide(values []float32) (all []float64) {
	for _, v := range values {
		all = append(all, float64(v))
	}
	return all
}

// project is tested by itself, with a change that differs between values: that of linear is the same
// everywhere.
var (
	full   = []float64{1, 0.5, -1, 0.25, 0, 0, 0, 0}
	beyond = []float64{2, 0.5, -3, 1.25, 0.5, 0, 0, 0.5}
	before = []float64{0.1, -0.2, 0.3, 0, 0, 0, 0, 1}
)

func projected(t *testing.T, a Adjust, unit float64) (x0, next []float64) {
	t.Helper()
	out := backendtest.Run(t, func(in []*Node) []*Node {
		made, next := a.project(in[0], in[1], in[2], unit)
		if next == nil {
			next = ZerosLike(made)
		}
		return []*Node{made, next}
	}, narrow(full), narrow(beyond), narrow(before))
	return wide(out[0]), wide(out[1])
}

func narrow(values []float64) *tensors.Tensor {
	flat := make([]float32, len(values))
	for i, v := range values {
		flat[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(flat, len(values)/4, 1, 2, 2, 1)
}

func product(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func minus(a, b []float64) (d []float64) {
	for i := range a {
		d = append(d, a[i]-b[i])
	}
	return d
}

func TestProjectedGuidance(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-5) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	same, _ := projected(t, plain, 2)
	for i := range same {
		near("without options", same[i], beyond[i])
	}
	// The change of clip 0 has norm sqrt(6), that of clip 1 sqrt(0.5), for a scale of 3; so half of
	// that for a scale of 2.
	a := plain
	a.Norm = 0.5
	x0, _ := projected(t, a, 2)
	change := minus(x0, full)
	near("norm of clip 0", math.Sqrt(product(change[:4], change[:4])), 2*0.5)
	near("norm of clip 1, which is less", math.Sqrt(product(change[4:], change[4:])), math.Sqrt(0.5))
	near("direction", product(change[:4], minus(beyond, full)[:4]), math.Sqrt(6)*2*0.5)

	a = Adjust{Parallel: 0}
	x0, _ = projected(t, a, 2)
	change = minus(x0, full)
	near("parallel part", product(change[:4], full[:4]), 0)
	a.Parallel = 0.5
	x0, _ = projected(t, a, 2)
	near("half of the parallel part", product(minus(x0, full)[:4], full[:4]), 0.5*product(minus(beyond, full)[:4], full[:4]))

	a = Adjust{Parallel: 1, Momentum: -0.5}
	x0, next := projected(t, a, 2)
	for i := range x0 {
		average := (beyond[i]-full[i])/2 - 0.5*before[i]
		near("average", next[i], average)
		near("with momentum", x0[i], full[i]+2*average)
	}
}

// The bound is for a scale of 2: at 3 the change, which is 1.5 for each of the four values, is halved to
// be compared with it, and has norm 1.5.
func TestNormIsThatOfScale2(t *testing.T) {
	check(t, "half of the change", run(t, with(frameScales(3, 3), configs.Options{"norm": 0.75}), level, zeros).x0, shifts(0.75+0.75))
}

// What is remembered is the average of all changes inside of the interval, and stays outside of it.
func TestMomentum(t *testing.T) {
	g := with(frameScales(3, 3), configs.Options{"momentum": 0.5, "sigma_min": 0.5})
	first := run(t, g, level, zeros)
	check(t, "first", first.x0, shifts(2.25))
	second := run(t, g, level, first.memory)
	check(t, "second", second.x0, shifts(2.25+0.5*1.5))
	for i, x := range slices.Concat(noisy...) { // eps follows x0
		if want := (x - 0.8*float64(second.x0[i])) / 0.6; !(math.Abs(float64(second.eps[i])-want) <= 1e-5) {
			t.Errorf("eps %v, want %v", second.eps[i], want)
		}
	}
	outside := run(t, g, diffusion.Level{Signal: 1, Noise: 0.1}, second.memory)
	check(t, "outside", outside.x0, shifts(0.75))
	if !slices.Equal(outside.memory, second.memory) {
		t.Errorf("memory %v after a level outside, want %v", outside.memory, second.memory)
	}
}

func TestRescale(t *testing.T) {
	for _, share := range []float64{0.5, 1} {
		a := plain
		a.Rescale = share
		out := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{a.rescale(in[0], in[1])} }, narrow(full[:4]), narrow(beyond[:4]))
		got, want := spread(wide(out[0]))[0], share*spread(full)[0]+(1-share)*spread(beyond)[0]
		if !(math.Abs(got-want) <= 1e-5) {
			t.Errorf("rescale %v: standard deviation %v, want %v", share, got, want)
		}
	}
}

// A guidance that rescales gives x0 that spread, and an eps that belongs to this x0.
func TestRescaledPrediction(t *testing.T) {
	p, err := New(with(frameScales(3, 3), configs.Options{"rescale": 1.0}), frames)
	if err != nil {
		t.Fatal(err)
	}
	out := backendtest.Run(t, func(in []*Node) []*Node {
		g := in[0].Graph()
		at := diffusion.LevelNodes{Signal: Const(g, float32(level.Signal)), Noise: Const(g, float32(level.Noise))}
		made := p.adjusted(in[0], at, diffusion.Prediction{X0: in[1], Eps: in[1]}, diffusion.Prediction{X0: in[2], Eps: in[2]}, nil)
		return []*Node{made.X0, made.Eps}
	}, narrow(noisy[0]), narrow(full[:4]), narrow(beyond[:4]))
	x0, want := wide(out[0]), spread(full)[0]
	if got := spread(x0)[0]; !(math.Abs(got-want) <= 1e-5) {
		t.Errorf("standard deviation %v, want %v", got, want)
	}
	for i, x := range noisy[0] {
		if want := (x - 0.8*x0[i]) / 0.6; !(math.Abs(float64(out[1][i])-want) <= 1e-5) {
			t.Errorf("eps %v, want %v", out[1][i], want)
		}
	}
}

// Scale 1 needs one branch and no memory, whatever the other options are. Scale 0 in an interval needs
// the network as it is outside.
func TestOptionsOfScales0And1(t *testing.T) {
	p, err := New(with(frameScales(1, 1), configs.Options{"momentum": 0.5, "rescale": 1.0, "sigma_max": 1.0}), frames)
	if err != nil || p.Evaluations() != 1 || p.Memory() != 0 {
		t.Errorf("scale 1: %+v, error %v, want one branch and no memory", p, err)
	}
	hidden := with(frameScales(0, 0), configs.Options{"sigma_max": 0.5})
	check(t, "scale 0, outside", run(t, hidden, level, zeros).x0, shifts(0.75))
	check(t, "scale 0, inside", run(t, hidden, diffusion.Level{Signal: 1, Noise: 0.1}, zeros).x0, shifts(0))
}

// A frame that is hidden stays hidden in all branches.
func TestHideAndRepeat(t *testing.T) {
	p, err := New(frameScales(2, 3), frames)
	if err != nil {
		t.Fatal(err)
	}
	out := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{p.Hide(in[0]), p.Repeat(in[1])} },
		[][]float32{{1, 1, 1}, {0, 1, 0}}, [][]float32{{1, 2}, {3, 4}})
	if want := []float32{1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0}; !slices.Equal(out[0], want) {
		t.Errorf("masks %v, want %v", out[0], want)
	}
	if want := []float32{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4}; !slices.Equal(out[1], want) {
		t.Errorf("repeated %v, want %v", out[1], want)
	}
	if p.Repeat(nil) != nil || p.Hide(nil) != nil {
		t.Error("what is not there did not stay so")
	}
}

func TestWhatTrainingHid(t *testing.T) {
	history := configs.Guidance{Name: "history", Options: configs.Options{"lengths": []int{1}, "scales": []float64{2}}}
	for _, c := range []struct {
		guide  configs.Guidance
		mask   configs.Mask
		future bool // whether the task shows it
		want   bool
	}{
		{frameScales(2, 2), configs.Mask{Past: 0.5, Future: 0.5}, true, true},
		{frameScales(2, 2), configs.Mask{Past: 0.5, Future: 0.5, Together: true}, true, true},
		{frameScales(2, 2), configs.Mask{Future: 0.5}, true, false},
		{frameScales(1, 2), configs.Mask{Future: 0.5}, true, true},
		{frameScales(1, 2), configs.Mask{Past: 0.5, Future: 0.5, Together: true}, true, false},
		{frameScales(1, 1), configs.Mask{}, true, true},
		{history, configs.Mask{Past: 0.5, Future: 0.5}, true, false},
		{history, configs.Mask{Kind: "frames", Past: 0.5, Future: 0.5}, true, true},
		{frameScales(2, 2), configs.Mask{Future: 0.5, Past: 0.5, Together: true}, false, false},
	} {
		f := frames
		f.Mask = c.mask
		p, err := New(c.guide, f)
		if err != nil || p.Learned(true, c.future) != c.want {
			t.Errorf("%s, %+v: learned %t, error %v, want %t", Describe(c.guide), c.mask, !c.want, err, c.want)
		}
	}
}

func TestWhereGuidanceActs(t *testing.T) {
	for _, c := range []struct {
		past, future               float64
		seesPast, seesFuture, want bool
	}{{2, 2, true, true, true}, {2, 2, false, false, false}, {2, 2, true, false, true}, {1, 2, true, false, false}, {0, 0, true, false, true}, {1, 1, true, true, false}} {
		p, err := New(frameScales(c.past, c.future), frames)
		if err != nil || p.Acts(c.seesPast, c.seesFuture) != c.want {
			t.Errorf("%+v: %t, error %v", c, !c.want, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	none, noFuture := configs.Frames{Current: 1}, configs.Frames{Past: 3, Current: 1}
	for _, c := range []struct {
		guide  configs.Guidance
		frames configs.Frames
		want   string
	}{
		{configs.Guidance{Name: "magic"}, frames, `sampler.guidance.name: unknown "magic"`},
		{frameScales(2, 2), none, "sampler.guidance.name: \"frames\", want none"},
		{frameScales(2, 3), noFuture, "sampler.guidance.options.future_scale: 3 has no effect because the model has no such frames"},
		{frameScales(-1, 2), frames, "sampler.guidance.options.past_scale: -1, want 0 to 100"},
		{frameScales(math.NaN(), 2), frames, "sampler.guidance.options.past_scale: .nan, want a finite number"},
		{with(frameScales(2, 2), configs.Options{"sigma_min": 2.0, "sigma_max": 1.0}), frames, "sampler.guidance.options.sigma_max: 1, want more than sigma_min"},
		{with(frameScales(2, 2), configs.Options{"zeta": 1}), frames, "sampler.guidance.options.zeta: unknown"},
		{configs.Guidance{Name: "history"}, configs.Frames{Current: 1, Future: 1}, "sampler.guidance.name: \"history\", want another"},
		{configs.Guidance{Name: "history", Options: configs.Options{"lengths": []int{1}}}, frames, "sampler.guidance.options.scales: [], want one for each"},
		{configs.Guidance{Name: "history", Options: configs.Options{"lengths": []int{2}, "scales": []float64{2}}}, frames, "sampler.guidance.options.lengths[0]: 2, want less than frames.past, which is 2"},
		{configs.Guidance{Name: "history", Options: configs.Options{"lengths": []int{1, 1}, "scales": []float64{2, 2}}}, frames, "sampler.guidance.options.lengths[1]: 1, want each length once"},
	} {
		if err := Check(c.guide, c.frames); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	p, err := New(frameScales(2, 3), noFuture) // a setting without effect is no error of a run
	if err != nil || p.Evaluations() != 2 {
		t.Errorf("%v, error %v, want 2 branches", p, err)
	}
}

// Autoguidance leads away from the second model by the scale, and scale 1 doesn't evaluate it.
func TestAutoguidance(t *testing.T) {
	weaker := func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		x0 := AddScalar(MulScalar(x, 0.25), 0.5)
		return diffusion.Prediction{X0: x0, Eps: diffusion.EpsFromX0(x, x0, at.Signal, at.Noise)}
	}
	for _, scale := range []float64{1, 1.5, 3} {
		guide := configs.Guidance{Name: "autoguidance", Options: configs.Options{"scale": scale, "checkpoint": "weaker"}}
		p, err := New(guide, frames)
		if err != nil {
			t.Fatal(err)
		}
		if on := scale > 1; p.Compares() != on || (p.Checkpoint == "weaker") != on || (p.Evaluations() == 2) != on || p.Branches() != 1 || p.Acts(false, false) != on {
			t.Errorf("scale %g: %+v, want that it compares with the second model above 1", scale, p)
		}
		second := sampler.Denoiser(weaker)
		if scale == 1 {
			second = func(*Node, diffusion.LevelNodes) diffusion.Prediction {
				panic("the second model is evaluated with a scale of 1")
			}
		}
		out := backendtest.Run(t, func(in []*Node) []*Node {
			at := diffusion.LevelNodes{Signal: Const(in[0].Graph(), float32(0.8)), Noise: Const(in[0].Graph(), float32(0.6))}
			made := p.Guide(linear(p.Hide(in[1])), Others{Second: second}, Block{}, nil)(in[0], at)
			return []*Node{made.X0, made.Eps}
		}, clipsOf(0.5, -1), [][]float32{{1, 1, 1}})
		var x0, eps []float64
		for _, x := range []float64{0.5, -1} {
			good, bad := 0.5*x+0.75, 0.25*x+0.5
			x0 = append(x0, bad+scale*(good-bad))
			eps = append(eps, (x-0.8*x0[len(x0)-1])/0.6)
		}
		check(t, "x0", out[0], x0)
		check(t, "eps", out[1], eps)
	}
}
