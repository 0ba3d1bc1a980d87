package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/network"
	"mcvd/models/nn"
)

// toy is an experiment of the smallest size that has everything: two levels, attention, past and future.
func toy() *configs.Config {
	c := configs.Default()
	c.Frames = configs.Frames{Past: 2, Current: 1, Future: 1, Mask: configs.Mask{Past: 0.5, Future: 0.5}}
	c.Data.Size, c.Data.Channels = 8, 1
	c.Model.Width, c.Model.Multipliers, c.Model.Blocks = 8, []int{1, 2}, 1
	c.Model.Attention, c.Model.HeadChannels = []int{4}, 8
	return c
}

func modelOf(t testing.TB, c *configs.Config) *Model {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lively gives every parameter values far from 0: first weights make some layers almost 0, and those hide mistakes.
func lively(t testing.TB, b compute.Backend, m *Model) *model.Store {
	t.Helper()
	store, err := m.Init(b, 1)
	if err != nil {
		t.Fatal(err)
	}
	for v := range store.IterVariables() {
		values := make([]float32, v.Shape().Size())
		for i := range values {
			values[i] = float32(0.3 * math.Sin(1.3*float64(i+len(v.Path()))))
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// clips are batch clips of frames frames, of values in [-1, 1] that differ everywhere.
func clips(m *Model, batch, frames int) []float32 {
	v := make([]float32, m.ClipShape(batch, frames).Size())
	for i := range v {
		v[i] = float32(math.Sin(1.7*float64(i) + 0.4))
	}
	return v
}

// program computes something of a model from clips of all frames, noise shaped like the current ones, a table of levels, and which
// conditioning frames are visible.
type program struct {
	model *Model
	exec  *model.Exec
}

// given is what a use of a model gets.
type given struct {
	clip, noise, visible *Node
	level                diffusion.LevelNodes
}

// programs are the uses of a model: all must hide what is hidden.
var programs = map[string]func(b compute.Backend, m *Model, scope *model.Scope, in given) []*Node{
	"loss and its gradients": func(b compute.Backend, m *Model, scope *model.Scope, in given) []*Node {
		scope.Store().SetTraining(in.clip.Graph(), true)
		weights := scope.At(WeightsScope)
		loss := m.LossGraph(nn.NewBuilder(b), weights, in.clip, Draws{in.level, in.noise, in.visible})
		return append([]*Node{loss}, weights.BuildTrainableVariablesGradientsGraph(ReduceAllMean(loss))...)
	},
	"denoiser": func(b compute.Backend, m *Model, scope *model.Scope, in given) []*Node {
		past, current, future := m.Cut(in.clip)
		cond := Cond[*Node]{Past: past, Future: future, Visible: in.visible}
		return denoised(b, m, scope, Add(current, in.noise), in.level, cond)
	},
	// Frames are zeros but where the cache is made.
	"denoiser with a cache": func(b compute.Backend, m *Model, scope *model.Scope, in given) []*Node {
		past, current, future := m.Cut(in.clip)
		cond := Cond[*Node]{Past: past, Future: future, Visible: in.visible}
		made := m.Cache(nn.NewBuilder(b), scope.At(WeightsScope), cond)
		keys, err := m.CacheKeys(b, model.NewStore().Scope("/"+WeightsScope), in.clip.Shape().Dimensions[0])
		if err != nil {
			panic(err)
		}
		flat := Cond[*Node]{Past: ZerosLike(past), Future: ZerosLike(future), Visible: in.visible}.Flatten(m.Frames, nil)
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
		return programs[name](b, m, scope, given{clip: in[0], noise: in[1], level: diffusion.TableNodes(in[2]), visible: in[3]})
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

func (p program) runFrames(t testing.TB, clip []float32, visible [][]float32) [][]float32 {
	t.Helper()
	m, batch := p.model, len(visible)
	var levels []diffusion.Level
	for i := range batch {
		levels = append(levels, m.Schedule.Level(0.2005+0.3*float64(i%3)))
	}
	noise := clips(m, batch, m.Frames.Current)
	out, err := p.exec.Call(tensors.FromFlatDataAndDimensions(slices.Clone(clip), m.ClipShape(batch, m.Frames.Total()).Dimensions...),
		tensors.FromFlatDataAndDimensions(noise, m.ClipShape(batch, m.Frames.Current).Dimensions...),
		tensors.FromFlatDataAndDimensions(m.Table(levels), batch, 1, diffusion.Columns), visible)
	if err != nil {
		t.Fatal(err)
	}
	values := make([][]float32, len(out))
	for i, x := range out {
		values[i] = tensors.MustCopyFlatData[float32](x)
	}
	return values
}

// sameBits compares bits, so that NaN is equal to itself, and 0 is not -0.
func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func allSameBits(a, b [][]float32) bool { return slices.EqualFunc(a, b, sameBits) }

func finite(t *testing.T, what string, v []float32) {
	t.Helper()
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			t.Fatalf("%s: value %d is %g", what, i, x)
		}
	}
}

// Every network of the table, in every combination of visible and hidden: what hidden frames hold leaves every bit of the
// results as it was, and what visible ones hold does not.
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
				testHidden(t, p, fmt.Sprintf("%s, %s, mask embedding %t, %s", c.Model.Network, c.Model.Conditioning, c.Model.MaskEmbedding, use), past, future)
			}
		}
	}
}

// networks are toys of every network and way of conditioning.
func networks(t *testing.T) (all []*configs.Config) {
	t.Helper()
	for _, name := range network.Names() {
		for _, conditioning := range network.Conditionings() {
			for _, embedding := range []bool{false, true} {
				c := toy()
				c.Model.Network, c.Model.Conditioning, c.Model.MaskEmbedding = name, conditioning, embedding
				c.Model.SpatinWidth = 4
				all = append(all, c)
			}
		}
	}
	if len(all) < 4 {
		t.Fatalf("only %d networks", len(all))
	}
	return all
}

// testHidden changes frames of the first of two clips; in the second, past and future are both visible.
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

// With what a window shares, made once, the denoiser computes what it computes without; and it needs no frames then.
func TestTheCacheChangesNothing(t *testing.T) {
	b := backendtest.Open(t)
	for _, c := range networks(t) {
		m := modelOf(t, c)
		if !m.Network.Caches() {
			continue
		}
		store := lively(t, b, m)
		for _, batch := range []int{1, 3, 4} { // 4 runs in two parts
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
				t.Errorf("%s, batch of %d: results differ by %g", c.Model.Conditioning, batch, worst)
			}
			t.Logf("%s, batch of %d: results differ by %.1g", c.Model.Conditioning, batch, worst)
		}
	}
}

// A mask may hide any frames: each hidden one changes no bit, each visible one does, whatever the others are.
func TestEachFrameIsHiddenByItself(t *testing.T) {
	b := backendtest.Open(t)
	for _, conditioning := range network.Conditionings() {
		c := toy()
		c.Model.Conditioning, c.Model.SpatinWidth = conditioning, 4
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

func TestCutTakesClipsApartInOrder(t *testing.T) {
	b := backendtest.Open(t)
	for _, f := range []configs.Frames{{Past: 2, Current: 3, Future: 1}, {Current: 2}, {Past: 1, Current: 1}, {Current: 1, Future: 2}} {
		c := toy()
		c.Frames = f
		m := modelOf(t, c)
		exec, err := NewExec(b, func(clip *Node) []*Node {
			past, current, future := m.Cut(clip)
			if (past == nil) != (f.Past == 0) || (future == nil) != (f.Future == 0) {
				t.Errorf("%+v: past %v, future %v, want nil for no frames", f, past, future)
			}
			parts := []*Node{current}
			if past != nil {
				parts = slices.Insert(parts, 0, past)
			}
			if future != nil {
				parts = append(parts, future)
			}
			return append(parts, Concatenate(parts, 1))
		})
		if err != nil {
			t.Fatal(err)
		}
		clip := clips(m, 2, f.Total())
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(slices.Clone(clip), m.ClipShape(2, f.Total()).Dimensions...))
		if err != nil {
			t.Fatal(err)
		}
		if joined := tensors.MustCopyFlatData[float32](out[len(out)-1]); !sameBits(joined, clip) {
			t.Errorf("%+v: the parts joined again are not the clip", f)
		}
		var got []int
		for _, x := range out[:len(out)-1] {
			got = append(got, x.Shape().Dimensions[1])
		}
		want := slices.DeleteFunc([]int{f.Past, f.Current, f.Future}, func(n int) bool { return n == 0 })
		if !slices.Equal(got, want) {
			t.Errorf("%+v: parts of %v frames, want %v", f, got, want)
		}
		if _, err := exec.Call(tensors.FromShape(m.ClipShape(2, f.Total()+1))); err == nil {
			t.Errorf("%+v: a clip of a frame too many is no error", f)
		}
	}
}

// Draws give each clip its own level, uniform over the schedule, and standard normal noise.
func TestDrawsCoverTheScheduleAndAreNormal(t *testing.T) {
	b := backendtest.Open(t)
	c := toy()
	c.Diffusion.Steps, c.Diffusion.BetaEnd = 10, 0.5
	m := modelOf(t, c)
	const batch = 4000
	exec, err := NewExec(b, func(state, levels *Node) []*Node {
		next, d := m.Draw(state, levels)
		_, again := m.Draw(next, levels)
		return []*Node{d.Level.Label, d.Noise, d.Visible, again.Noise}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call([]uint64{5, 6, 7}, m.DrawLevels(rand.New(rand.NewPCG(5, 6)), batch))
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, 10)
	for _, label := range tensors.MustCopyFlatData[float32](out[0]) {
		counts[int(label)]++
	}
	for step, n := range counts {
		if !(math.Abs(n/batch-0.1) <= 0.02) {
			t.Errorf("label %d is drawn with frequency %g, want 0.1", step, n/batch)
		}
	}
	noise, again := tensors.MustCopyFlatData[float32](out[1]), tensors.MustCopyFlatData[float32](out[3])
	var mean, square, fourth, product float64
	for i, z := range noise {
		z := float64(z)
		mean, square, fourth, product = mean+z, square+z*z, fourth+z*z*z*z, product+z*float64(again[i])
	}
	n := float64(len(noise))
	for _, m := range []struct {
		name      string
		got, want float64
	}{{"mean", mean / n, 0}, {"variance", square / n, 1}, {"fourth moment", fourth / n, 3}, {"correlation with the next draw", product / n, 0}} {
		if !(math.Abs(m.got-m.want) <= 0.05) {
			t.Errorf("%s of the noise: %g, want %g", m.name, m.got, m.want)
		}
	}
}

func TestFirstWeightsAreAFunctionOfTheSeed(t *testing.T) {
	b := backendtest.Open(t)
	m := modelOf(t, toy())
	values := func(seed uint64) map[string][]float32 {
		store, err := m.Init(b, seed)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string][]float32{}
		for v := range store.IterVariables() {
			all[v.Path()] = tensors.MustCopyFlatData[float32](v.MustValue())
		}
		return all
	}
	one, same, other := values(1), values(1), values(2)
	changed := 0
	for path, v := range one {
		if !sameBits(v, same[path]) {
			t.Errorf("%s: the same seed gives other weights", path)
		}
		if !sameBits(v, other[path]) {
			changed++
		}
	}
	if changed < len(one)/3 {
		t.Errorf("another seed changes %d of %d parameters", changed, len(one))
	}
	averages := 0
	for path, v := range one {
		if rest, ok := trimScope(path, WeightsScope); ok {
			averages++
			if !sameBits(v, one["/"+EMAScope+rest]) {
				t.Errorf("%s: the average does not start equal to the weights", path)
			}
		}
	}
	if averages == 0 || 2*averages != len(one) {
		t.Errorf("%d weights among %d variables, want half", averages, len(one))
	}
}

func trimScope(path, scope string) (string, bool) {
	prefix := "/" + scope + "/"
	if len(path) < len(prefix) || path[:len(prefix)] != prefix {
		return "", false
	}
	return path[len(prefix)-1:], true
}

// A clip's result is the same bits whatever stands beside it in the batch, and the same to rounding in any batch.
func TestClipsDoNotSeeTheirNeighbours(t *testing.T) {
	b := backendtest.Open(t)
	m := modelOf(t, toy())
	p := newProgram(t, b, m, lively(t, b, m), "denoiser")
	size := m.ClipShape(1, m.Frames.Total()).Size()
	current := m.ClipShape(1, m.Frames.Current).Size()
	all := clips(m, 4, m.Frames.Total())
	ones := []float32{1, 1, 1, 1}
	want := p.run(t, all, ones, ones)[0]
	for i := range 4 {
		changed := clips(m, 4, m.Frames.Total())
		for k := range changed {
			if k/size != i {
				changed[k] = 3 - 2*changed[k]
			}
		}
		got := p.run(t, changed, ones, []float32{1, 1, 1, 1})[0]
		if !sameBits(got[i*current:(i+1)*current], want[i*current:(i+1)*current]) {
			t.Errorf("clip %d changes with its neighbours", i)
		}
	}
	for _, batch := range []int{1, 2, 3} {
		got := p.run(t, all[:batch*size], ones[:batch], ones[:batch])[0]
		worst := 0.0
		for i, x := range got {
			worst = max(worst, math.Abs(float64(x-want[i]))/(1+math.Abs(float64(want[i])))) // NaN stays
		}
		if !(worst <= 1e-5) {
			t.Errorf("batch of %d: results differ by %g from those in a batch of 4", batch, worst)
		}
		t.Logf("batch of %d: results differ by %.1g from those in a batch of 4", batch, worst)
	}
}
