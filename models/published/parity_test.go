package published

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/mask"
	"mcvd/models/network"
	"mcvd/models/nn"
	"mcvd/models/paritytest"
	"mcvd/models/published/schema"
)

// imported is a network of a fixture, with its weights.
type imported struct {
	*testing.T
	backend  compute.Backend
	model    *models.Model
	channels int // of a frame
	listing  models.Listing
	store    *model.Store
}

// open imports a fixture as the command does: configuration and checkpoint, written as a checkpoint
// of this project, loaded.
func open(t *testing.T, path string) *imported {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path, "config.yml"))
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := schema.Translate(path, text)
	if err != nil {
		t.Fatal(err)
	}
	n := &imported{T: t, backend: backendtest.Open(t), channels: config.Data.Channels}
	if n.model, err = models.New(config); err != nil {
		t.Fatal(err)
	}
	if n.listing, err = n.model.List(n.backend); err != nil {
		t.Fatal(err)
	}
	f := n.written(t, filepath.Join(path, "checkpoint.pt"))
	if n.store, err = n.model.Load(n.backend, f.File, models.WeightsScope, models.EMAScope); err != nil {
		t.Fatal(err)
	}
	return n
}

// places are the weights by their published names.
func (n *imported) places() []located {
	n.Helper()
	places, err := published(n.listing)
	if err != nil {
		n.Fatal(err)
	}
	return places
}

// run builds the network with the weights of a scope on a fixture's inputs, of which x is the noisy
// frames, and returns what collect picks from its result and its layers' outputs. The builder says
// how.
func (n *imported) run(f paritytest.Fixture, x, scope string, how nn.Builder,
	collect func(eps *Node, layers []*Node) []*Node) (names []string, outputs []*tensors.Tensor) {
	n.Helper()
	past := n.model.Frames.Past
	exec, err := model.NewExec(n.backend, n.store, func(s *model.Scope, in []*Node) []*Node {
		n.store.SetTraining(in[0].Graph(), true)
		names = nil
		var layers []*Node
		b := how
		b.Trace = func(name string, y *Node) { names, layers = append(names, name), append(layers, y) }
		input := network.Input{X: in[0], Label: in[1], Visible: mask.Blocks(in[2], in[2], n.model.Frames),
			Past: Slice(in[3], AxisRange(), AxisRange(0, past))}
		if n.model.Frames.Future > 0 {
			input.Future = Slice(in[3], AxisRange(), AxisRange(past))
		}
		return collect(n.model.Network.Graph(&b, s.At("%s", scope), input), layers)
	})
	if err != nil {
		n.Fatal(err)
	}
	defer exec.Finalize()
	outputs, err = exec.Call(n.frames(f, x), floats(f.Ints("labels")), floats(f.Ints("cond_mask")), n.frames(f, "cond"))
	if err != nil {
		n.Fatal(err)
	}
	return names, outputs
}

func (n *imported) frames(f paritytest.Fixture, name string) *tensors.Tensor {
	values, dims := f.Frames(name, n.channels)
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

func floats(v []int) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i] = float32(v[i])
	}
	return out
}

// builders are the formulations that are held against the fixtures on a backend: its own, and the
// plain one, against which all others are held in models/nn.
func builders(b compute.Backend) map[string]nn.Builder {
	return map[string]nn.Builder{"plain": {Formulation: nn.Plain}, b.String(): *nn.NewBuilder(b)}
}

// Every layer's output and eps agree with the published code's, in every formulation. A failure
// names the first layer that differs.
func TestParityOutputs(t *testing.T) {
	paritytest.Each(t, "unet/*/io.safetensors", func(t *testing.T, path string) {
		path = filepath.Dir(path)
		n, io := open(t, path), paritytest.Open(t, path, "io.safetensors")
		for name, how := range builders(n.backend) {
			layers, outputs := n.run(io, "x", models.WeightsScope, how, func(eps *Node, layers []*Node) []*Node { return append(layers, eps) })
			worst := 0.0
			for i, y := range outputs {
				layer, want := "eps", "eps"
				got := tensors.MustCopyFlatData[float32](y)
				if i < len(layers) {
					layer, want = layers[i], fmt.Sprintf("act.%02d", i)
				} else {
					d := y.Shape().Dimensions // [batch, frames, height, width, channels]
					got = paritytest.Permuted(got, d, 0, 1, 4, 2, 3)
				}
				if d := y.Shape().Dimensions; len(d) == 4 {
					got = paritytest.Permuted(got, d, 0, 3, 1, 2)
				}
				d := paritytest.Worst(got, io.Floats(want), 2e-5, 2e-4)
				if !(d <= 1) {
					t.Fatalf("%s: layer %d, %s, is the first that differs: by %.2g of the tolerance", name, i, layer, d)
				}
				worst = max(worst, d)
			}
			if want := len(layers) + 1; len(outputs) != want || want < 10 {
				t.Fatalf("%s: %d outputs of %d layers", name, len(outputs), len(layers))
			}
			t.Logf("%s: worst of %d layers %.2g of the tolerance", name, len(layers), worst)
		}
	})
}

// With the averaged weights, eps agrees, too.
func TestParityEMA(t *testing.T) {
	paritytest.Each(t, "unet/*/ema.safetensors", func(t *testing.T, path string) {
		path = filepath.Dir(path)
		n, want := open(t, path), paritytest.Open(t, path, "ema.safetensors").Floats("eps_ema")
		_, outputs := n.run(paritytest.Open(t, path, "io.safetensors"), "x", models.EMAScope, *nn.NewBuilder(n.backend),
			func(eps *Node, _ []*Node) []*Node { return []*Node{eps} })
		got := paritytest.Permuted(tensors.MustCopyFlatData[float32](outputs[0]), outputs[0].Shape().Dimensions, 0, 1, 4, 2, 3)
		if d := paritytest.Worst(got, want, 2e-5, 2e-4); !(d <= 1) {
			t.Errorf("eps differs by %.2g of the tolerance", d)
		} else {
			t.Logf("%s: eps %.2g of the tolerance", filepath.Base(path), d)
		}
	})
}

// Gradients agree with the published code's, tensor by tensor.
func TestParityGradients(t *testing.T) {
	paritytest.Each(t, "unet/*/grad.safetensors", func(t *testing.T, path string) {
		path = filepath.Dir(path)
		n, grad := open(t, path), paritytest.Open(t, path, "grad.safetensors")
		z := n.frames(grad, "z")
		for name, how := range builders(n.backend) {
			_, outputs := n.run(grad, "xt", models.WeightsScope, how, func(eps *Node, _ []*Node) []*Node {
				loss := MulScalar(ReduceAllSum(Square(Sub(eps, ConstTensor(eps.Graph(), z)))), 0.5/float64(z.Shape().Dimensions[0]))
				var parameters []*Node
				for _, w := range n.places() {
					v := n.store.GetVariable("/" + models.WeightsScope + "/" + w.Path)
					parameters = append(parameters, v.NodeValue(eps.Graph()))
				}
				return append([]*Node{loss}, Gradient(loss, parameters...)...)
			})
			if got, want := tensors.ToScalar[float32](outputs[0]), grad.Floats("loss")[0]; !(math.Abs(float64(got-want)) <= 1e-5*float64(want)) {
				t.Errorf("%s: loss %g, want %g", name, got, want)
			}
			largest := 0.0
			for i, w := range n.places() {
				if strings.HasSuffix(w.Path, "/k/b") {
					continue // it is 0, softmax being blind to a constant, and both are rounding errors
				}
				got := w.Layout.ToPublished(tensors.MustCopyFlatData[float32](outputs[i+1]), w.Shape)
				d := paritytest.Distance(got, grad.Floats("grad."+w.Name))
				if !(d <= 1e-3) {
					t.Errorf("%s: gradient of %s (%s): differs by %.2g of its norm", name, w.Path, w.Name, d)
				}
				largest = max(largest, d)
			}
			if want := len(grad.Tensors()) - 7; len(n.places()) != want {
				t.Errorf("%d parameters, the published network has %d", len(n.places()), want)
			}
			t.Logf("%s: largest relative difference of %d gradients %.2g", name, len(n.places()), largest)
		}
	})
}

// In bfloat16, where the backend has it, eps is within 2 % of the published code's float32, by
// norm.
func TestParityPrecision(t *testing.T) {
	b := backendtest.Open(t)
	precision, err := nn.Precision(b, "bfloat16")
	if err != nil {
		t.Logf("%v: nothing to compare", err)
		return
	}
	paritytest.Each(t, "unet/*/io.safetensors", func(t *testing.T, path string) {
		path = filepath.Dir(path)
		n, io := open(t, path), paritytest.Open(t, path, "io.safetensors")
		how := *nn.NewBuilder(n.backend)
		how.Compute = precision
		_, outputs := n.run(io, "x", models.WeightsScope, how, func(eps *Node, _ []*Node) []*Node { return []*Node{eps} })
		got := paritytest.Permuted(tensors.MustCopyFlatData[float32](outputs[0]), outputs[0].Shape().Dimensions, 0, 1, 4, 2, 3)
		d := paritytest.Distance(got, io.Floats("eps"))
		if !(d <= 0.02) {
			t.Errorf("eps differs by %.2g of its norm", d)
		}
		t.Logf("%s: eps differs by %.2g of its norm", filepath.Base(path), d)
	})
}
