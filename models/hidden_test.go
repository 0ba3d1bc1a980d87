package models

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/network"
	"mcvd/models/nn"
)

// program computes something of a model from clips of all frames, noise shaped like the current
// ones, a table of levels, and which conditioning frames are visible.
type program struct {
	model *Model
	exec  *model.Exec
}

// given is what a use of a model gets.
type given struct {
	clip, noise, visible *Node
	times                *Node // nil for clips of frames that follow each other
	level                diffusion.LevelNodes
}

// programs are the uses of a model: all must hide what is hidden.
var programs = map[string]func(b compute.Backend, m *Model, scope *model.Scope, in given) []*Node{
	"loss and its gradients": func(b compute.Backend, m *Model, scope *model.Scope, in given) []*Node {
		scope.Store().SetTraining(in.clip.Graph(), true)
		weights := scope.At(WeightsScope)
		loss := m.LossGraph(nn.NewBuilder(b), weights, in.clip, Draws{Level: in.level, Noise: in.noise, Visible: in.visible, Times: in.times, Told: Ones(in.clip.Graph(), nn.F32(in.clip.Shape().Dimensions[0], 1, 1, 1, 1))})
		return append([]*Node{loss}, weights.BuildTrainableVariablesGradientsGraph(ReduceAllMean(loss))...)
	},
	"denoiser": func(b compute.Backend, m *Model, scope *model.Scope, in given) []*Node {
		past, current, future := m.Cut(in.clip)
		cond := Cond[*Node]{Past: past, Future: future, Visible: in.visible, Times: in.times}
		return denoised(b, m, scope, Add(current, in.noise), in.level, cond)
	},
	// Frames are zeros but where the cache is made.
	"denoiser with a cache": func(b compute.Backend, m *Model, scope *model.Scope, in given) []*Node {
		past, current, future := m.Cut(in.clip)
		cond := Cond[*Node]{Past: past, Future: future, Visible: in.visible, Times: in.times}
		made := m.Cache(nn.NewBuilder(b), scope.At(WeightsScope), cond)
		keys, err := m.CacheKeys(b, model.NewStore().Scope("/"+WeightsScope), in.clip.Shape().Dimensions[0])
		if err != nil {
			panic(err)
		}
		times := in.times
		if times == nil {
			times = Iota(in.clip.Graph(), nn.F32(in.clip.Shape().Dimensions[0], m.Frames.Total()), 1)
		}
		flat := Cond[*Node]{Past: ZerosLike(past), Future: ZerosLike(future), Visible: in.visible, Times: times}.Flatten(m, nil)
		return denoised(b, m, scope, Add(current, in.noise), in.level, m.CondInputs(keys, append(flat, made...)))
	},
}

func denoised(b compute.Backend, m *Model, scope *model.Scope, x *Node, l diffusion.LevelNodes, cond Cond[*Node]) []*Node {
	p := m.Denoiser(nn.NewBuilder(b), scope.At(WeightsScope), cond)(x, l)
	return []*Node{p.Eps, p.X0}
}

func newProgram(t testing.TB, b compute.Backend, m *Model, store *model.Store, name string) program {
	t.Helper()
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		g := given{clip: in[0], noise: in[1], level: diffusion.TableNodes(in[2]), visible: in[3]}
		if len(in) > 4 {
			g.times = in[4]
		}
		return programs[name](b, m, scope, g)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exec.Finalize)
	return program{m, exec}
}

// run is runFrames for blocks that are visible or hidden as a whole.
func (p program) run(t testing.TB, clip []float32, pastVisible, futureVisible []float32) [][]float32 {
	t.Helper()
	var visible [][]float32
	for i := range pastVisible {
		visible = append(visible, append(slices.Repeat(pastVisible[i:i+1], p.model.Frames.Past), slices.Repeat(futureVisible[i:i+1], p.model.Frames.Future)...))
	}
	return p.runFrames(t, clip, visible)
}

// runFrames gives the program times, too, if there are any.
func (p program) runFrames(t testing.TB, clip []float32, visible [][]float32, times ...[][]float32) [][]float32 {
	t.Helper()
	m, batch := p.model, len(visible)
	var levels []diffusion.Level
	for i := range batch {
		levels = append(levels, m.Schedule.Level(0.2005+0.3*float64(i%3)))
	}
	noise := clips(m, batch, m.Frames.Current)
	args := []any{tensors.FromFlatDataAndDimensions(slices.Clone(clip), m.ClipShape(batch, m.Frames.Total()).Dimensions...),
		tensors.FromFlatDataAndDimensions(noise, m.ClipShape(batch, m.Frames.Current).Dimensions...),
		tensors.FromFlatDataAndDimensions(m.Table(levels), batch, 1, diffusion.Columns), visible}
	for _, of := range times {
		args = append(args, of)
	}
	out, err := p.exec.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	values := make([][]float32, len(out))
	for i, x := range out {
		values[i] = tensors.MustCopyFlatData[float32](x)
	}
	return values
}

// Every network of the table, in every combination of visible and hidden: what hidden frames hold
// leaves every bit of the results as it was, and what visible ones hold does not.
func TestHiddenFramesCannotInfluenceAnything(t *testing.T) {
	b := backendtest.Open(t)
	for _, c := range networks(t) {
		m := modelOf(t, c)
		store := lively(t, b, m)
		for use := range programs {
			if use == "denoiser with a cache" && !m.Network.Caches() {
				continue
			}
			p := newProgram(t, b, m, store, use)
			for combination := range 4 {
				past, future := float32(combination&1), float32(combination>>1)
				testHidden(t, p, fmt.Sprintf("%s, %s, mask embedding %t, %s", c.Model.Network, c.Model.Options["conditioning"], c.Model.Options["mask_embedding"], use), past, future)
			}
		}
	}
}

// testHidden changes frames of the first of two clips; in the second, past and future are both
// visible.
func testHidden(t *testing.T, p program, name string, past, future float32) {
	t.Helper()
	m := p.model
	visible, frame := [][]float32{{past, 1}, {future, 1}}, m.ClipShape(1, 1).Size()
	clip := clips(m, 2, m.Frames.Total())
	want := p.run(t, clip, visible[0], visible[1])
	finite(t, name, want[0])
	blocks := []struct {
		name     string
		from, to int // frames
		visible  bool
	}{
		{"past", 0, m.Frames.Past, past == 1},
		{"future", m.Frames.Past + m.Frames.Current, m.Frames.Total(), future == 1},
	}
	for _, block := range blocks {
		for _, value := range []float32{0.5, 1e30, float32(math.NaN()), float32(math.Inf(1))} {
			if block.visible && value != 0.5 {
				continue
			}
			changed := slices.Clone(clip)
			for i := block.from * frame; i < block.to*frame; i++ {
				changed[i] = value
			}
			got := p.run(t, changed, visible[0], visible[1])
			if same := allSameBits(got, want); same == block.visible {
				t.Errorf("%s: past visible %g, future visible %g: with the %s set to %g results are the same: %t", name, past, future, block.name, value, same)
			}
		}
	}
}

// With what a window shares, made once, the denoiser computes what it computes without; and it
// needs no frames then.
func TestTheCacheChangesNothing(t *testing.T) {
	b := backendtest.Open(t)
	batches := []int{1, 3, 4} // 4 runs in two parts
	if backendtest.Name() != "go" {
		batches = []int{3} // there are no parts
	}
	for _, c := range networks(t) {
		m := modelOf(t, c)
		if !m.Network.Caches() {
			continue
		}
		store := lively(t, b, m)
		for _, batch := range batches {
			clip := clips(m, batch, m.Frames.Total())
			visible := make([]float32, batch)
			visible[0] = 1
			want := newProgram(t, b, m, store, "denoiser").run(t, clip, visible, visible)[0]
			got := newProgram(t, b, m, store, "denoiser with a cache").run(t, clip, visible, visible)[0]
			worst := 0.0
			for i := range want {
				worst = max(worst, math.Abs(float64(got[i]-want[i]))/(1+math.Abs(float64(want[i])))) // NaN stays
			}
			if !(worst <= 1e-6) {
				t.Errorf("%s, batch of %d: results differ by %g", c.Model.Options["conditioning"], batch, worst)
			}
			t.Logf("%s, batch of %d: results differ by %.1g", c.Model.Options["conditioning"], batch, worst)
		}
	}
}

// A mask may hide any frames: each hidden one changes no bit, each visible one does, whatever the
// others are.
func TestEachFrameIsHiddenByItself(t *testing.T) {
	b := backendtest.Open(t)
	for _, conditioning := range network.Conditionings() {
		c := conditioned(conditioning)
		m := modelOf(t, c)
		p := newProgram(t, b, m, lively(t, b, m), "denoiser")
		clip, frame := clips(m, 1, m.Frames.Total()), m.ClipShape(1, 1).Size()
		places := []int{0, 1, 3} // of the conditioning frames in a clip
		for pattern := range 8 {
			var visible []float32
			for i := range places {
				visible = append(visible, float32(pattern>>i&1))
			}
			want := p.runFrames(t, clip, [][]float32{visible})
			for i, place := range places {
				changed := slices.Clone(clip)
				for k := range frame {
					changed[place*frame+k] += 0.25
				}
				if same := allSameBits(p.runFrames(t, changed, [][]float32{visible}), want); same == (visible[i] == 1) {
					t.Errorf("%s, visible %v: with frame %d changed results are the same: %t", conditioning, visible, place, same)
				}
			}
		}
	}
}

func TestEachVisibleFrameCounts(t *testing.T) {
	b := backendtest.Open(t)
	m := modelOf(t, toy())
	p := newProgram(t, b, m, lively(t, b, m), "denoiser")
	clip, frame := clips(m, 1, m.Frames.Total()), m.ClipShape(1, 1).Size()
	want := p.run(t, clip, []float32{1}, []float32{1})
	for i := range m.Frames.Total() {
		changed := slices.Clone(clip)
		for k := range frame {
			changed[i*frame+k] += 0.25
		}
		if allSameBits(p.run(t, changed, []float32{1}, []float32{1}), want) {
			t.Errorf("frame %d does not change the result", i)
		}
	}
}
