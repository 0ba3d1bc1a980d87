package models

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/mask"
	"mcvd/models/nn"
)

// learning is a toy that learns variances with that weight of the bound.
func learning(c *configs.Config, weight float64) *configs.Config {
	c.Diffusion.Variance = "learned"
	c.Diffusion.Options = configs.Options{"vlb_weight": weight}
	return c
}

// hybrid is what a model's loss is made of for 2 clips at two levels, the least noisy timestep among them.
type hybrid struct {
	loss, simple, bound, outputs []float32 // outputs: the gradient of the weights of the last layer
}

func hybridOf(t *testing.T, m *Model) (h hybrid) {
	t.Helper()
	b := backendtest.Open(t)
	exec, err := model.NewExec(b, lively(t, b, m), func(scope *model.Scope, clip, noise, levels *Node) []*Node {
		g := clip.Graph()
		scope.Store().SetTraining(g, true)
		ones := Ones(g, nn.F32(2))
		d := Draws{Level: diffusion.TableNodes(levels), Noise: noise, Visible: mask.Blocks(ones, ones, m.Frames), Told: Ones(g, nn.F32(2, 1, 1, 1, 1))}
		weights := scope.At(WeightsScope)
		loss, _ := m.ErrorGraph(nn.NewBuilder(b), weights, clip, d)
		current, xt, cond := m.given(clip, d)
		f, share := m.predict(nn.NewBuilder(b), weights, xt, d.Level, cond, m.before(nn.NewBuilder(b), weights, xt, d, cond))
		simple, _ := m.compare(f, xt, current, noise, d.Level)
		bound := ReduceSum(diffusion.BoundGraph(current, m.Target.Predict(xt, f, d.Level).X0, share, d.Level), 1)
		out := weights.At("out").GetVariable("w").NodeValue(g)
		return []*Node{loss, simple, bound, Gradient(ReduceAllSum(loss), out)[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	levels := []diffusion.Level{m.Schedule.Level(1e-6), m.Schedule.Level(0.4)}
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(clips(m, 2, m.Frames.Total()), m.ClipShape(2, m.Frames.Total()).Dimensions...),
		tensors.FromFlatDataAndDimensions(clips(m, 2, m.Frames.Current), m.ClipShape(2, m.Frames.Current).Dimensions...),
		tensors.FromFlatDataAndDimensions(m.Table(levels), 2, 1, diffusion.Columns))
	if err != nil {
		t.Fatal(err)
	}
	for i, of := range []*[]float32{&h.loss, &h.simple, &h.bound, &h.outputs} {
		*of = tensors.MustCopyFlatData[float32](out[i])
		finite(t, "the hybrid loss", *of)
	}
	return h
}

// The loss is L_simple + lambda T times the term of the bound at the level. The outputs of the mean learn
// from L_simple alone: another lambda doesn't change their gradients, and those of the variance are in
// proportion to it. All of it holds for networks that are told their own predictions or a level for each
// frame, too.
func TestTheHybridLossLeavesTheMeanToTheSimpleOne(t *testing.T) {
	told, each := func() *configs.Config { return selfConditioned() }, func() *configs.Config {
		c := toy()
		c.Frames.Current = 2
		c.Model.Options["level_per_frame"] = true
		return c
	}
	for name, of := range map[string]func() *configs.Config{"plain": toy, "self-conditioned": told, "a level for each frame": each} {
		for _, target := range []string{"eps", "v"} {
			with := func(weight float64) hybrid {
				c := learning(of(), weight)
				c.Diffusion.Target = target
				return hybridOf(t, modelOf(t, c))
			}
			little, much := with(0.001), with(0.1)
			for i, got := range little.loss {
				want := float64(little.simple[i]) + 0.001*1000*float64(little.bound[i])
				if !(math.Abs(float64(got)-want) <= 1e-4*math.Abs(want)) || !(little.bound[i] > 0) {
					t.Errorf("%s, %s, clip %d: loss %g, want %g with a bound of %g", name, target, i, got, want, little.bound[i])
				}
			}
			largest := map[bool]float64{}
			for i := range little.outputs { // channels of a frame: the mean's, then the variance's
				a, b, mean := float64(little.outputs[i]), float64(much.outputs[i]), i%2 == 0
				largest[mean] = max(largest[mean], math.Abs(a))
				if mean && !(math.Abs(a-b) <= 1e-4*(1+math.Abs(a))) || !mean && !(math.Abs(b-100*a) <= 1e-2*(1+math.Abs(b))) {
					t.Fatalf("%s, %s: gradient %d is %g, and %g with a lambda 100 times as large", name, target, i, a, b)
				}
			}
			if !(largest[true] > 0) || !(largest[false] > 0) {
				t.Errorf("%s, %s: no gradient: %v", name, target, largest)
			}
		}
	}
}

// With levels drawn by their losses, the bound is multiplied by what makes up for the draws, as the rest
// of the loss is.
func TestTheBoundIsWeighedAsLevelsAreDrawn(t *testing.T) {
	c := learning(toy(), 0.01)
	c.Diffusion.Levels, c.Diffusion.Steps, c.Diffusion.Options["beta_end"] = "by_loss", 4, 0.5
	m := modelOf(t, c)
	r := m.Running()
	for step := range 4 {
		for range 10 {
			r.Add(m.Schedule.Level(float64(step+1)/4), float64(1+step))
		}
	}
	levels, factors, table := m.DrawByLoss(rand.New(rand.NewPCG(1, 2)), 16, r)
	rows := tensors.MustCopyFlatData[float32](table)
	for i := range levels {
		if got, want := float64(rows[i*diffusion.Columns+diffusion.BoundColumn]), 0.04*factors[i]; !(math.Abs(got/want-1) <= 1e-5) || factors[i] == 1 {
			t.Errorf("clip %d: the bound's weight is %g, want %g", i, got, want)
		}
	}
}

// With guidance, variances are those of the branch that sees the frames given.
func TestGuidedVariancesAreThoseOfTheConditionalBranch(t *testing.T) {
	b, m := backendtest.Open(t), modelOf(t, learning(toy(), 0.001))
	for name, options := range map[string]configs.Options{
		"frames": {"past_scale": 3.0, "future_scale": 2.0}, "history": {"scale": 2.0},
	} {
		plan, err := guidance.New(configs.Guidance{Name: name, Options: options}, m.Frames)
		if err != nil {
			t.Fatal(err)
		}
		exec, err := model.NewExec(b, lively(t, b, m), func(scope *model.Scope, clip, levels, visible *Node) []*Node {
			past, x, future := m.Cut(clip)
			level := diffusion.TableNodes(levels)
			cond := Cond[*Node]{Past: past, Future: future, Visible: visible}
			weights := scope.At(WeightsScope)
			guided := m.Guided(nn.NewBuilder(b), weights, plan, Branches(plan, cond), guidance.Block{}, nil)(x, level)
			alone := m.Denoiser(nn.NewBuilder(b), weights, cond)(x, level)
			return []*Node{guided.Share, alone.Share, guided.X0, alone.X0}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(clips(m, 2, m.Frames.Total()), m.ClipShape(2, m.Frames.Total()).Dimensions...),
			tensors.FromFlatDataAndDimensions(m.Table([]diffusion.Level{m.Schedule.Level(0.3)}), 1, 1, diffusion.Columns), [][]float32{{1, 1, 1}, {1, 1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		value := func(i int) []float32 { return tensors.MustCopyFlatData[float32](out[i]) }
		close(t, name, value(0), value(1))
		if sameBits(value(2), value(3)) {
			t.Errorf("%s: the guidance changes nothing", name)
		}
		exec.Finalize()
	}
}

func TestSamplersThatNeedLearnedVariances(t *testing.T) {
	known := configs.Guidance{Name: "replacement", Options: configs.Options{"known_future": 1}}
	for _, c := range []struct {
		model    *configs.Config
		variance string
		guidance configs.Guidance
		want     string
	}{
		{toy(), "learned", configs.Guidance{}, `sampler.options.step_variance: "learned", want posterior or beta, because the network was not trained with diffusion.variance: learned`},
		{toy(), "beta", configs.Guidance{}, ""},
		{learning(toy(), 0.001), "learned", configs.Guidance{}, ""},
		{learning(toy(), 0.001), "learned", known, ""},
		{toy(), "beta", known, `sampler.options.step_variance: "beta", want posterior with this guidance`},
	} {
		c.model.Frames.Current = 2
		s := configs.Sampler{Name: "ddpm", Spacing: "uniform", Steps: 5, Guidance: c.guidance, Options: configs.Options{"step_variance": c.variance}}
		err := modelOf(t, c.model).CheckSampler(s)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", c.variance, err, c.want)
		}
	}
}
