package train

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/mask"
	"mcvd/models/network"
	"mcvd/models/nn"
	"mcvd/models/weights"
)

// published is the experiment of testdata/config.yml.
func published() *configs.Config {
	c := configs.Default()
	c.Frames = configs.Frames{Past: 2, Current: 2, Future: 1}
	c.Data.Size, c.Data.Channels = 16, 1
	c.Model.Width, c.Model.Multipliers, c.Model.Blocks = 8, []int{1, 2}, 1
	c.Model.Attention, c.Model.HeadChannels, c.Model.Dropout = []int{8}, 8, 0
	c.Optimizer.WarmupSteps = 10
	c.Train.Batch, c.Train.Accumulate = 2, 1
	return c
}

// fixture is the published code's steps.
type fixture struct {
	*testing.T
	file *weights.File
}

func (f fixture) floats(name string) []float32 {
	f.Helper()
	v, err := f.file.Float32s(name)
	if err != nil {
		f.Fatal(err)
	}
	return v
}

func (f fixture) integers(name string) []int {
	f.Helper()
	raw, err := f.file.Read(name)
	if err != nil {
		f.Fatal(err)
	}
	v := make([]int, len(raw)/8)
	for i := range v {
		v[i] = int(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return v
}

// clip joins the conditioning (2 past frames, 1 future frame) and the clean frames of a step: [2, 5, 16, 16, 1].
func (f fixture) clip(step string) *tensors.Tensor {
	x0, cond := f.floats(step+"x0"), f.floats(step+"cond")
	const frame = 16 * 16
	var v []float32
	for i := range 2 {
		v = slices.Concat(v, cond[i*3*frame:i*3*frame+2*frame], x0[i*2*frame:(i+1)*2*frame], cond[i*3*frame+2*frame:(i+1)*3*frame])
	}
	return tensors.FromFlatDataAndDimensions(v, 2, 5, 16, 16, 1)
}

// layers names the layers of a network in building order.
func layers(t *testing.T, b compute.Backend, m *models.Model) (names []string) {
	t.Helper()
	g := NewGraph(b, "layers")
	defer g.Finalize()
	store := model.NewStore()
	store.SetTraining(g, true)
	builder := &nn.Builder{Formulation: nn.Plain, Trace: func(layer string, _ *Node) { names = append(names, layer) }}
	frames := func(n int) *Node { return Zeros(g, m.ClipShape(1, n)) }
	one := Ones(g, nn.F32(1))
	m.Network.Graph(builder, store.RootScope(), network.Input{X: frames(m.Frames.Current), Label: one, Past: frames(m.Frames.Past),
		Future: frames(m.Frames.Future), Visible: mask.Nodes{Past: one, Future: one}})
	return names
}

// ours reads the fixture's value of a parameter, under its published name, in our layout.
func (f fixture) ours(prefix string, layers []string, path string, d []int) []float32 {
	f.Helper()
	p, err := network.PublishedName(layers, path, len(d))
	if err != nil {
		f.Fatal(err)
	}
	v := f.floats(prefix + p.Name)
	switch p.Layout {
	case network.DenseOI:
		out := make([]float32, len(v))
		for i := range d[0] {
			for o := range d[1] {
				out[i*d[1]+o] = v[o*d[0]+i]
			}
		}
		return out
	case network.ConvOIHW:
		out := make([]float32, len(v))
		taps := d[0] * d[1]
		for tap := range taps {
			for i := range d[2] {
				for o := range d[3] {
					out[(tap*d[2]+i)*d[3]+o] = v[(o*d[2]+i)*taps+tap]
				}
			}
		}
		return out
	}
	return v
}

// Five steps agree with the published code's: losses, norms and learning rates to 1e-5; the parameters and their average after
// them to 5e-5 at worst and, on average, to 1e-6 and a thousandth of the way that they went (Adam makes whole steps of gradients
// that are rounding errors).
func TestParityOfSteps(t *testing.T) {
	const steps = 5
	b, c := backendtest.Open(t), published()
	file, err := weights.Open("testdata/steps.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f := fixture{t, file}
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store, err := firstState(b, m, c)
	if err != nil {
		t.Fatal(err)
	}
	names := layers(t, b, m)
	for _, scope := range []string{models.WeightsScope, models.EMAScope} {
		for v := range store.Scope("/" + scope).IterVariables() {
			d := v.Shape().Dimensions
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(f.ours("init.", names, v.Path()[len(scope)+2:], d), d...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	draws := given{Model: m}
	for i := range steps {
		var timesteps []int32
		for _, label := range f.integers(fmt.Sprintf("step%d.labels", i+1)) {
			timesteps = append(timesteps, int32(m.Schedule.Label(label))) // Label is its own inverse
		}
		draws.t, draws.noise = append(draws.t, timesteps), append(draws.noise, f.floats(fmt.Sprintf("step%d.z", i+1)))
	}
	s, err := newStepper(b, store, draws, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for i := range steps {
		name := fmt.Sprintf("step%d.", i+1)
		r, err := s.run(i+1, []*tensors.Tensor{f.clip(name)}, row(i))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name string
			got  float64
		}{{"loss", r.Loss * s.values}, {"grad_norm", r.GradientNorm}, {"lr", r.LearningRate}} {
			want := float64(f.floats(name + c.name)[0])
			if !(math.Abs(c.got/want-1) <= 1e-5) {
				t.Errorf("step %d: %s %g, want %g", i+1, c.name, c.got, want)
			}
			t.Logf("step %d: %s %g, relative deviation %.1g", i+1, c.name, c.got, math.Abs(c.got/want-1))
		}
	}
	for prefix, scope := range map[string]string{"final.": models.WeightsScope, "ema.": models.EMAScope} {
		worst, sum, n, moved := 0.0, 0.0, 0, 0.0
		worstName := ""
		for v := range store.Scope("/" + scope).IterVariables() {
			path, d := v.Path()[len(scope)+2:], v.Shape().Dimensions
			want, first := f.ours(prefix, names, path, d), f.ours("init.", names, path, d)
			for i, got := range values(t, store, v.Path()) {
				deviation := math.Abs(float64(got) - float64(want[i]))
				if !(deviation <= worst) {
					worst, worstName = deviation, path
				}
				sum, n, moved = sum+deviation, n+1, moved+math.Abs(float64(want[i])-float64(first[i]))
			}
		}
		if !(worst <= 5e-5) || !(sum <= 1e-6*float64(n)) || !(sum <= 1e-3*moved) {
			t.Errorf("%s: parameters deviate by %.2g at worst (%s), by %.2g on average", scope, worst, worstName, sum/float64(n))
		}
		t.Logf("%s: %d values moved by %.2g on average and deviate by %.2g at worst (%s), by %.2g on average", scope, n, moved/float64(n), worst, worstName, sum/float64(n))
	}
}
