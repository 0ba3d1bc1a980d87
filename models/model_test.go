package models

import (
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

// toy is an experiment of the smallest size that has everything: two levels, attention, past and
// future.
func toy() *configs.Config {
	c := configs.Default()
	c.Frames = configs.Frames{Past: 2, Current: 1, Future: 1, Mask: configs.Mask{Past: 0.5, Future: 0.5}}
	c.Data.Size, c.Data.Channels = 8, 1
	c.Model.Options = configs.Options{"width": 8, "multipliers": []int{1, 2}, "blocks": 1, "attention": []int{4}, "head_channels": 8}
	return c
}

// conditioned is a toy with that way of conditioning.
func conditioned(name string) *configs.Config {
	c := toy()
	if c.Model.Options["conditioning"] = name; name == "spatin" {
		c.Model.Options["spatin_width"] = 4
	}
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

// lively gives every parameter values far from 0: first weights make some layers almost 0, and
// those hide mistakes.
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

// networks are toys of every network and way of conditioning. Some see their own predictions, and are
// told times. On XLA, which takes seconds to compile each, there are those that see and are told all.
func networks(t *testing.T) (all []*configs.Config) {
	t.Helper()
	for _, name := range network.Names() {
		if name == "classifier" { // it predicts no frames, and has tests of its own
			continue
		}
		if name != "unet" {
			c := toy()
			c.Model.Network, c.Model.Options = name, configs.Options{"width": 8}
			all = append(all, c)
			c = toy()
			c.Model.Network, c.Model.Options = name, configs.Options{"width": 8, "frame_times": true}
			all = append(all, c)
			continue
		}
		for _, conditioning := range network.Conditionings() {
			for _, embedding := range []bool{false, true} {
				if !embedding && backendtest.Name() != "go" {
					continue
				}
				c := conditioned(conditioning)
				c.Model.Options["mask_embedding"], c.Model.Options["self_conditioning"], c.Model.Options["frame_times"] = embedding, embedding, embedding
				all = append(all, c)
			}
		}
	}
	if len(all) < 4 {
		t.Fatalf("only %d networks", len(all))
	}
	return all
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
	c.Diffusion.Steps, c.Diffusion.Options = 10, configs.Options{"beta_end": 0.5}
	m := modelOf(t, c)
	const batch = 4000
	exec, err := NewExec(b, func(state, levels *Node) []*Node {
		next, d := m.Draw(nn.Random{State: state}, levels)
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

// A clip's result is the same bits whatever stands beside it in the batch, and the same to rounding
// in any batch.
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

// The loss of a clip that is turned around is that of the clip played backwards. So its past is what
// would have been its future.
func TestReversedClipsAreTurnedBeforeTheyAreCut(t *testing.T) {
	b, m := backendtest.Open(t), modelOf(t, toy())
	exec, err := model.NewExec(b, lively(t, b, m), func(scope *model.Scope, in []*Node) []*Node {
		g := in[0].Graph()
		d := Draws{Level: diffusion.TableNodes(in[1]), Noise: Ones(g, m.ClipShape(2, m.Frames.Current)), Visible: Ones(g, nn.F32(2, 3))}
		loss := func(clip, reversed *Node) *Node {
			d.Reversed = reversed
			return m.LossGraph(nn.NewBuilder(b), scope.At(WeightsScope), clip, d)
		}
		return []*Node{loss(in[0], nil), loss(Reverse(in[0], 1), nil), loss(in[0], Const(g, []float32{1, 0}))}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	clip := tensors.FromFlatDataAndDimensions(clips(m, 2, m.Frames.Total()), m.ClipShape(2, m.Frames.Total()).Dimensions...)
	level := m.Schedule.Level(0.4)
	out, err := exec.Call(clip, tensors.FromFlatDataAndDimensions(m.Table([]diffusion.Level{level, level}), 2, 1, diffusion.Columns))
	if err != nil {
		t.Fatal(err)
	}
	forward, backward, mixed := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1]), tensors.MustCopyFlatData[float32](out[2])
	close(t, "the reversed clip's loss", mixed[:1], backward[:1])
	close(t, "the other clip's loss", mixed[1:], forward[1:])
	if math.Abs(float64(forward[0]-backward[0])) < 1e-3 {
		t.Errorf("forward and backward the loss is %g: this shows nothing", forward[0])
	}
}
