package published

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/paritytest"
	"mcvd/models/published/schema"
	"mcvd/models/weights"
	"mcvd/models/weights/torch"
)

// network of the tests here, whose names, shapes and order PyTorch wrote.
const fixture = "../paritytest/testdata/unet/concat_cond_emb"

// sample is a network, and what the published code would save of it: values that say which tensor
// and which element they are.
type sample struct {
	config  *configs.Config
	model   *models.Model
	listing models.Listing
	weights []located
	named   map[string]located // by their published names
	names   []string           // of the state dict, in its order
	shapes  map[string][]int
}

// What a value belongs to.
const (
	ofWeights = iota
	ofEMA
	ofMean
	ofSquare
)

func newSample(t *testing.T) *sample {
	t.Helper()
	s := &sample{named: map[string]located{}, shapes: map[string][]int{}}
	text, err := os.ReadFile(filepath.Join(fixture, "config.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if s.config, _, err = schema.Translate("config.yml", text); err != nil {
		t.Fatal(err)
	}
	if s.model, err = models.New(s.config); err != nil {
		t.Fatal(err)
	}
	if s.listing, err = s.model.List(backendtest.Open(t)); err != nil {
		t.Fatal(err)
	}
	if s.weights, err = published(s.listing); err != nil {
		t.Fatal(err)
	}
	for _, w := range s.weights {
		s.named[w.Name] = w
	}
	f, err := torch.Open(filepath.Join(fixture, "checkpoint.pt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for key, value := range f.Root().(torch.List)[0].(*torch.Dict).All() {
		name := key.(string)[len("module."):]
		s.names = append(s.names, name)
		s.shapes[name] = value.(*torch.Tensor).Shape()
	}
	return s
}

// parameters are the names without the buffers.
func (s *sample) parameters() []string {
	return slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return s.named[name].Path == "" })
}

// values are those of a tensor in the file: all exact, and all different.
func (s *sample) values(name string, of int) []float32 {
	n := 1
	for _, d := range s.shapes[name] {
		n *= d
	}
	values := make([]float32, n)
	k := slices.Index(s.names, name)
	for i := range values {
		values[i] = float32((4*k+of)<<13 | i)
	}
	return values
}

// tensor is a published tensor.
func (s *sample) tensor(name string, of int) view {
	return float32s(s.values(name, of), s.shapes[name]...)
}

// state is a state dict of these names. The schedule's alphas are right, the other buffers are
// whatever.
func (s *sample) state(prefix string, of int, names []string) ordered {
	var all ordered
	for _, name := range names {
		v := s.tensor(name, of)
		if name == "alphas" {
			schedule := s.model.Schedule.(*diffusion.Discrete)
			alphas := make([]float32, schedule.Steps())
			for t, a := range schedule.AlphaBar {
				alphas[schedule.Label(t)] = float32(a)
			}
			v = float32s(alphas, len(alphas))
		}
		all = append(all, pair{prefix + name, v})
	}
	return all
}

// checkpoint is the published code's list after 700 steps of Adam.
func (s *sample) checkpoint() list {
	return list{s.state("module.", ofWeights, s.names), s.adam(700), 3, 1234, dict(s.state("", ofEMA, s.parameters()))}
}

// adam is Adam's state dict.
func (s *sample) adam(step any) dict {
	var state dict
	numbers := list{}
	for i, name := range s.parameters() {
		state = append(state, pair{i, dict{{"step", step}, {"exp_avg", s.tensor(name, ofMean)}, {"exp_avg_sq", s.tensor(name, ofSquare)}}})
		numbers = append(numbers, i)
	}
	return dict{{"state", state}, {"param_groups", list{dict{{"lr", 2e-4}, {"betas", tuple{0.9, 0.999}}, {"amsgrad", false}, {"params", numbers}}}}}
}

// want are the values of a weight here.
func (s *sample) want(w located, of int) []float32 {
	values, d := s.values(w.Name, of), w.Shape
	switch w.Layout {
	case DenseOI:
		return paritytest.Permuted(values, []int{d[1], d[0]}, 1, 0)
	case ConvOIHW:
		return paritytest.Permuted(values, []int{d[3], d[2], d[0], d[1]}, 2, 3, 1, 0)
	}
	return values
}

// opened opens a file until the end of the test.
func opened(t *testing.T, path string) *Checkpoint {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// expect fails unless a checkpoint holds the sample's values: in each scope those of an entry of
// sources, -1 for zeros.
func (s *sample) expect(t *testing.T, c *Checkpoint, sources [4]int) {
	t.Helper()
	entries, err := c.Entries(s.listing)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "entries.safetensors")
	if err := weights.Write(path, nil, entries); err != nil {
		t.Fatal(err)
	}
	f := paritytest.Open(t, path)
	if got, want := len(f.Tensors()), 4*len(s.weights); got != want {
		t.Errorf("%d entries, want %d", got, want)
	}
	wrong := 0
	for i, scope := range []string{models.WeightsScope, models.EMAScope, models.AdamMeanScope, models.AdamSquareScope} {
		for _, w := range s.weights {
			want := make([]float32, len(s.values(w.Name, 0)))
			if sources[i] >= 0 {
				want = s.want(w, sources[i])
			}
			if got := f.Floats(scope + "/" + w.Path); !slices.Equal(got, want) && wrong < 10 {
				wrong++
				t.Errorf("%s/%s (%s): %v, want %v", scope, w.Path, w.Name, got[:min(4, len(got))], want[:min(4, len(want))])
			}
		}
	}
}
