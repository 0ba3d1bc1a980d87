package guidance

import (
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// classGuide leads to a class of a classifier.
func classGuide(weight float64, more configs.Options) configs.Guidance {
	return with(configs.Guidance{Name: "classifier", Options: configs.Options{"class_weight": weight, "classifier": "runs/classifier", "classes": []any{"a"}}}, more)
}

// slope has a gradient that is easily told: log p is -x^2/2 summed over a clip.
func slope(x *Node, _ diffusion.LevelNodes) *Node {
	return MulScalar(ReduceSum(Square(x), 1, 2, 3, 4), -0.5)
}

// led is what the guidance makes of linear, with the gradient of slope.
func led(t *testing.T, guide configs.Guidance, level diffusion.Level) (x0, eps []float32) {
	t.Helper()
	p, err := New(guide, frames)
	if err != nil {
		t.Fatal(err)
	}
	out := backendtest.Run(t, func(in []*Node) []*Node {
		g := in[0].Graph()
		at := diffusion.LevelNodes{Signal: Const(g, float32(level.Signal)), Noise: Const(g, float32(level.Noise))}
		denoise := func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
			made := linear(p.Hide(in[1]))(x, at)
			made.Share = x
			return made
		}
		made := p.Guide(denoise, Others{Class: slope}, Block{}, nil)(in[0], at)
		if made.Share != in[0] {
			t.Errorf("%s: what the network says of variances is not passed on", Describe(guide))
		}
		return []*Node{made.X0, made.Eps}
	}, clipsOf(0.5, -1), [][]float32{{1, 1, 1}})
	return out[0], out[1]
}

// Predictions are those of the formula for a gradient of -x: the two forms agree.
func TestTheGradientOfAClassifier(t *testing.T) {
	for _, weight := range []float64{0.5, 1, 3} {
		x0, eps := led(t, classGuide(weight, nil), level)
		var wantX0, wantEps []float64
		for _, x := range []float64{0.5, -1} {
			found := 0.5*x + 0.75
			wantX0 = append(wantX0, found-weight*0.36/0.8*x)
			wantEps = append(wantEps, (x-0.8*found)/0.6+weight*0.6*x)
		}
		check(t, "x0", x0, wantX0)
		check(t, "eps", eps, wantEps)
	}
}

// Weight 0, levels outside of the interval and a level without signal change no bit.
func TestWhereAClassifierChangesNothing(t *testing.T) {
	for _, c := range []struct {
		guide configs.Guidance
		level diffusion.Level
	}{
		{classGuide(0, nil), level},
		{classGuide(2, configs.Options{"sigma_max": 0.7}), level},
		{classGuide(2, configs.Options{"sigma_min": 0.8}), level},
		{classGuide(2, nil), diffusion.Level{Signal: 0, Noise: 1}},
	} {
		x0, eps := led(t, c.guide, c.level)
		wantX0, wantEps := led(t, configs.Guidance{}, c.level)
		if !slices.Equal(x0, wantX0) || !slices.Equal(eps, wantEps) {
			t.Errorf("%s at %v: x0 %v and eps %v, want %v and %v", Describe(c.guide), c.level, x0, eps, wantX0, wantEps)
		}
	}
	inside, _ := led(t, classGuide(2, configs.Options{"sigma_max": 0.8}), level)
	if without, _ := led(t, configs.Guidance{}, level); slices.Equal(inside, without) {
		t.Error("nothing changes inside of the interval")
	}
}

// The options that adjust a guidance hold for this one: a bound of the norm is one of the change
// for a weight of 1.
func TestTheNormOfAClassifiersChange(t *testing.T) {
	x0, _ := led(t, classGuide(2, configs.Options{"norm": 0.1}), level)
	without, _ := led(t, configs.Guidance{}, level)
	norm := 0.0
	for i := range x0 {
		norm += math.Pow(float64(x0[i]-without[i]), 2)
	}
	if norm = math.Sqrt(norm); !(math.Abs(norm-0.2) <= 1e-5) {
		t.Errorf("the change has norm %g, want 0.2", norm)
	}
}

func TestPlansOfClassifiers(t *testing.T) {
	p, err := New(classGuide(2, nil), frames)
	if err != nil || !p.Leads() || p.Compares() || p.Classifier != "runs/classifier" || !slices.Equal(p.Classes, []string{"a"}) || p.Evaluations() != 2 || p.Branches() != 1 || !p.Acts(false, false) {
		t.Errorf("%+v, error %v: want one that reads a classifier and counts it", p, err)
	}
	if p, err := New(classGuide(0, nil), frames); err != nil || p.Leads() || p.Classifier != "" || p.Classes != nil || p.Evaluations() != 1 || p.Acts(true, true) {
		t.Errorf("%+v, error %v: want one that reads nothing", p, err)
	}
	twice := classGuide(1, configs.Options{"classes": []any{"a", "b", "a"}})
	if err := Check(twice, frames); err == nil || !strings.Contains(err.Error(), "options.classes[2]: \"a\", want each class once") {
		t.Errorf("error %v, want that a class is named twice", err)
	}
	if got, want := Describe(classGuide(2, nil)), "guidance classifier (class_weight 2, classes [a], classifier runs/classifier)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// mode is one of two of a distribution of numbers, normal with that mean and deviation.
type mode struct{ share, mean, deviation float64 }

var modes = []mode{{0.3, -0.8, 0.3}, {0.7, 0.5, 0.2}}

// mixture is the exact denoiser of modes, and the exact log p(mode | x_t).
func mixture(of int) (sampler.Denoiser, LogProb) {
	// apart are the posterior means of x0 in each mode, and the log of each mode's probability.
	apart := func(x *Node, at diffusion.LevelNodes) (means, logs []*Node) {
		var total *Node
		for _, m := range modes {
			centred := Sub(x, MulScalar(at.Signal, m.mean))
			variance := Add(MulScalar(Square(at.Signal), m.deviation*m.deviation), Square(at.Noise))
			means = append(means, AddScalar(Mul(centred, Div(MulScalar(at.Signal, m.deviation*m.deviation), variance)), m.mean))
			log := Sub(MulScalar(Div(Square(centred), variance), -0.5), MulScalar(Log(variance), 0.5))
			logs = append(logs, AddScalar(log, math.Log(m.share)))
		}
		largest := StopGradient(Max(logs[0], logs[1]))
		for _, log := range logs {
			if e := Exp(Sub(log, largest)); total == nil {
				total = e
			} else {
				total = Add(total, e)
			}
		}
		total = Add(largest, Log(total))
		return means, []*Node{Sub(logs[0], total), Sub(logs[1], total)}
	}
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
			means, logs := apart(x, at)
			x0 := Add(Mul(Exp(logs[0]), means[0]), Mul(Exp(logs[1]), means[1]))
			return diffusion.Prediction{X0: x0, Eps: diffusion.EpsFromX0(x, x0, at.Signal, at.Noise)}
		}, func(x *Node, at diffusion.LevelNodes) *Node {
			_, logs := apart(x, at)
			return Reshape(logs[of], -1)
		}
}

// draws samples numbers with the exact network and classifier, from normal noise of evenly spread
// quantiles.
func draws(t *testing.T, name string, guide configs.Guidance, of int) []float64 {
	t.Helper()
	process, err := diffusion.New(configs.Default().Diffusion)
	if err != nil {
		t.Fatal(err)
	}
	c := configs.Sampler{Name: name, Spacing: "log_snr", Steps: 200, Guidance: guide}
	s, err := sampler.New(c)
	if err != nil {
		t.Fatal(err)
	}
	levels, err := sampler.Levels(process.Schedule, c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(guide, configs.Frames{Current: 1})
	if err != nil {
		t.Fatal(err)
	}
	d, err := devices.Open(backendtest.Open(t), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	loop, err := sampler.NewLoop(d, model.NewStore(), s, process, 0, func(*model.Scope, []*Node, []*Node) sampler.Denoiser {
		denoise, class := mixture(of)
		return p.Guide(denoise, Others{Class: class}, Block{}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	z := make([]float32, 100_000)
	for i := range z {
		z[i] = float32(math.Sqrt2 * math.Erfinv((2*float64(i)+1)/float64(len(z))-1))
	}
	x, err := loop.Run(t.Context(), tensors.FromFlatDataAndDimensions(z, len(z), 1, 1, 1, 1), nil, sampler.Plan(s, process.Schedule, levels, c), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return wide(tensors.MustCopyFlatData[float32](x))
}

// With exact predictions, a weight of 1 samples exactly the numbers of the mode, and a larger one
// stays in it. Without guidance both modes come in their shares.
func TestAClassifierLeadsToItsMode(t *testing.T) {
	middle := (modes[0].mean + modes[1].mean) / 2
	share := func(x []float64) (below float64) {
		for _, v := range x {
			if v < middle {
				below += 1 / float64(len(x))
			}
		}
		return below
	}
	if got := share(draws(t, "dpmpp_2m", configs.Guidance{}, 0)); !(math.Abs(got-modes[0].share) <= 0.01) {
		t.Errorf("without guidance a share of %g is below, want %g", got, modes[0].share)
	}
	for of, m := range modes {
		x, mean, variance := draws(t, "dpmpp_2m", classGuide(1, nil), of), 0.0, 0.0
		for _, v := range x {
			mean += v / float64(len(x))
		}
		for _, v := range x {
			variance += (v - mean) * (v - mean) / float64(len(x))
		}
		t.Logf("mode %d: mean %.5f, variance %.5f", of, mean, variance)
		if !(math.Abs(mean-m.mean) <= 0.01*math.Abs(m.mean)) || !(math.Abs(variance/(m.deviation*m.deviation)-1) <= 0.02) {
			t.Errorf("mode %d: mean %g and variance %g, want %g and %g", of, mean, variance, m.mean, m.deviation*m.deviation)
		}
	}
	if got := share(draws(t, "ddim", classGuide(3, nil), 0)); !(got >= 0.999) {
		t.Errorf("with a weight of 3 a share of %g is in the mode, want all", got)
	}
}
