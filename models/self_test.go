package models

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/nn"
)

// selfConditioned is a toy that sees its own predictions.
func selfConditioned() *configs.Config {
	c := toy()
	c.Model.Options["self_conditioning"] = true
	return c
}

// close compares values that different programs computed.
func close(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(float64(got[i]-want[i])) <= 2e-5*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// Training tells the network what it predicts without being told anything, for some of the clips and
// as a constant: loss and gradients are those of a program that gets this prediction as an input.
func TestTrainingTellsTheNetworkWhatItPredicts(t *testing.T) {
	b, m := backendtest.Open(t), modelOf(t, selfConditioned())
	store := lively(t, b, m)
	build := func(f func(scope *model.Scope, b *nn.Builder, in given, more []*Node) []*Node) *model.Exec {
		exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
			scope.Store().SetTraining(in[0].Graph(), true)
			return f(scope.At(WeightsScope), nn.NewBuilder(b), given{clip: in[0], noise: in[1], level: diffusion.TableNodes(in[2]), visible: in[3]}, in[4:])
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(exec.Finalize)
		return exec
	}
	withGradients := func(scope *model.Scope, loss *Node) []*Node {
		return append([]*Node{loss}, scope.BuildTrainableVariablesGradientsGraph(ReduceAllMean(loss))...)
	}
	conditions := func(in given) (xt *Node, current *Node, cond Cond[*Node]) {
		past, current, future := m.Cut(in.clip)
		return diffusion.AddNoise(current, in.noise, in.level.Signal, in.level.Noise), current, Cond[*Node]{Past: past, Future: future, Visible: in.visible}
	}
	guess := build(func(scope *model.Scope, b *nn.Builder, in given, _ []*Node) []*Node {
		xt, _, cond := conditions(in)
		return []*Node{m.denoise(b, scope, xt, in.level, cond, nil).X0}
	})
	manual := build(func(scope *model.Scope, b *nn.Builder, in given, more []*Node) []*Node {
		xt, current, cond := conditions(in)
		f, _ := m.predict(b, scope, xt, in.level, cond, more[0])
		byFrame := m.Loss.Of(f, m.Target.FGraph(current, in.noise, in.level))
		return withGradients(scope, ReduceSum(Mul(byFrame, Reshape(in.level.Weight, 2, 1)), 1))
	})
	own := build(func(scope *model.Scope, b *nn.Builder, in given, more []*Node) []*Node {
		return withGradients(scope, m.LossGraph(b, scope, in.clip, Draws{Level: in.level, Noise: in.noise, Visible: in.visible, Told: more[0]}))
	})
	shape := m.ClipShape(2, m.Frames.Current).Dimensions
	inputs := func(more any) []any {
		levels := []diffusion.Level{m.Schedule.Level(0.2), m.Schedule.Level(0.5)}
		return []any{tensors.FromFlatDataAndDimensions(clips(m, 2, m.Frames.Total()), m.ClipShape(2, m.Frames.Total()).Dimensions...),
			tensors.FromFlatDataAndDimensions(clips(m, 2, m.Frames.Current), shape...),
			tensors.FromFlatDataAndDimensions(m.Table(levels), 2, 1, diffusion.Columns),
			[][]float32{{1, 1, 1}, {1, 1, 0}}, more}
	}
	call := func(exec *model.Exec, more any) [][]float32 {
		t.Helper()
		out, err := exec.Call(inputs(more)...)
		if err != nil {
			t.Fatal(err)
		}
		var values [][]float32
		for _, x := range out {
			values = append(values, tensors.MustCopyFlatData[float32](x))
		}
		return values
	}
	before := call(guess, float32(0))[0]
	outside := false
	for i, v := range before {
		outside = outside || v > 1 || v < -1
		before[i] = max(-1, min(v, 1))
		if i >= len(before)/2 {
			before[i] = 0 // the second clip isn't told
		}
	}
	if !outside {
		t.Error("no prediction is outside of [-1, 1]: that they are kept there isn't tested")
	}
	got := call(own, tensors.FromFlatDataAndDimensions([]float32{1, 0}, 2, 1, 1, 1, 1))
	want := call(manual, tensors.FromFlatDataAndDimensions(before, shape...))
	close(t, "loss", got[0], want[0])
	for i := range want[1:] {
		close(t, "gradient", got[1+i], want[1+i])
	}
	if untold := call(own, tensors.FromFlatDataAndDimensions([]float32{0, 0}, 2, 1, 1, 1, 1)); untold[0][0] == got[0][0] || untold[0][1] != got[0][1] {
		t.Errorf("losses %v with the first clip told, %v without: want that the first one differs", got[0], untold[0])
	}
}

// In sampling, each evaluation is told the clean frames of the one before, also between steps.
func TestEvaluationsAreToldTheOneBefore(t *testing.T) {
	b, m := backendtest.Open(t), modelOf(t, selfConditioned())
	store := lively(t, b, m)
	plan, err := guidance.New(configs.Default().Sampler.Guidance, m.Frames)
	if err != nil {
		t.Fatal(err)
	}
	if m.Memory(plan) != 1 || modelOf(t, toy()).Memory(plan) != 0 {
		t.Fatalf("a memory of %d tensors, without self-conditioning %d, want 1 and 0", m.Memory(plan), modelOf(t, toy()).Memory(plan))
	}
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		past, x, future := m.Cut(in[0])
		level := diffusion.TableNodes(in[1])
		cond := Cond[*Node]{Past: past, Future: future, Visible: in[2]}
		memory := []*Node{ZerosLike(x)}
		weights := scope.At(WeightsScope)
		denoise := m.Guided(nn.NewBuilder(b), weights, plan, cond, guidance.Block{}, memory)
		first := denoise(x, level)
		remembered := memory[0]
		second := denoise(x, level)
		untold := m.Denoiser(nn.NewBuilder(b), weights, cond)(x, level)
		by := m.denoise(nn.NewBuilder(b), weights, x, level, cond, ClipScalar(first.X0, -1, 1))
		return []*Node{first.X0, untold.X0, remembered, ClipScalar(first.X0, -1, 1), second.X0, by.X0}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(clips(m, 2, m.Frames.Total()), m.ClipShape(2, m.Frames.Total()).Dimensions...),
		tensors.FromFlatDataAndDimensions(m.Table([]diffusion.Level{m.Schedule.Level(0.3)}), 1, 1, diffusion.Columns), [][]float32{{1, 1, 1}, {1, 1, 0}})
	if err != nil {
		t.Fatal(err)
	}
	value := func(i int) []float32 { return tensors.MustCopyFlatData[float32](out[i]) }
	close(t, "the first evaluation, which is told nothing", value(0), value(1))
	close(t, "what is remembered", value(2), value(3))
	close(t, "the second evaluation", value(4), value(5))
	if sameBits(value(0), value(4)) {
		t.Error("the second evaluation equals the first: it was told nothing")
	}
}
