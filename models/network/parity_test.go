package network

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/backendtest"
	"mcvd/models/mask"
	"mcvd/models/nn"
	"mcvd/models/weights"
)

// fixtures are networks with random weights, with what the published PyTorch code computes from them (testdata/README.md).
// All have 2 past, 2 current and 1 future frames of 16x16 grey pixels.
var fixtures = map[string]*UNet{
	"concat_past_future": {Width: 8, Multipliers: []int{1, 2}, Blocks: 1, Attention: []int{8}, HeadChannels: 8},
	"concat_cond_emb":    {Width: 8, Multipliers: []int{1, 2}, Blocks: 1, Attention: []int{8}, HeadChannels: 8, MaskEmbedding: true},
}

const past, current, future, side = 2, 2, 1, 16

// Outputs agree with the published code's to 2e-5 + 2e-4 of the value, layer by layer, in every formulation.
func TestParityOutputs(t *testing.T) {
	for name, net := range fixtures {
		for formulation, f := range map[string]nn.Formulation{"plain": nn.Plain, "go": nn.Go} {
			t.Run(name+"/"+formulation, func(t *testing.T) {
				io := openFixture(t, name, "io")
				run := newRun(t, net, name, f)
				layers, outputs := run.call(t, io, "x", func(eps *Node, layers []*Node) []*Node { return append(layers, eps) })
				for i, layer := range append(layers, "eps") {
					want := "eps"
					if i < len(layers) {
						want = fmt.Sprintf("act.%02d", i)
					}
					// act.00 to act.02 may be matrices; images are compared channels last.
					if d := worst(channelsFirst(outputs[i]), floats(t, io, want), 2e-5, 2e-4); !(d <= 1) {
						t.Fatalf("layer %d (%s): deviation %.2g of the tolerance", i, layer, d)
					} else if want == "eps" {
						t.Logf("worst deviation of eps: %.2g of the tolerance", d)
					}
				}
			})
		}
	}
}

// Gradients agree with the published code's, tensor by tensor, to 1e-3 by norm.
func TestParityGradients(t *testing.T) {
	for name, net := range fixtures {
		for formulation, f := range map[string]nn.Formulation{"plain": nn.Plain, "go": nn.Go} {
			t.Run(name+"/"+formulation, func(t *testing.T) {
				grad := openFixture(t, name, "grad")
				run := newRun(t, net, name, f)
				z := image(t, grad, "z", current)
				var paths []string
				_, outputs := run.call(t, grad, "xt", func(eps *Node, _ []*Node) []*Node {
					target := ConstTensor(eps.Graph(), z)
					loss := MulScalar(ReduceAllSum(Square(Sub(eps, target))), 0.5/2) // the mean over a batch of 2
					var parameters []*Node
					for v := range run.store.Scope("/net").IterVariables() {
						paths = append(paths, v.Path()[len("/net/"):])
						parameters = append(parameters, v.NodeValue(eps.Graph()))
					}
					return append([]*Node{loss}, Gradient(loss, parameters...)...)
				})
				if got, want := tensors.ToScalar[float32](outputs[0]), floats(t, grad, "loss")[0]; !(math.Abs(float64(got-want)) <= 1e-5*float64(want)) {
					t.Errorf("loss %g, want %g", got, want)
				}
				largest, checked := 0.0, 0
				for i, path := range paths {
					g := outputs[i+1]
					checked++
					p, err := PublishedName(run.layers, path, g.Rank())
					if err != nil {
						t.Fatal(err)
					}
					d := relative(toPublished(g, p.Layout), floats(t, grad, "grad."+p.Name))
					if strings.HasSuffix(path, "/k/b") {
						continue // it is 0, softmax being blind to a constant, and both are rounding errors
					}
					if !(d <= 1e-3) {
						t.Errorf("gradient of %s (%s): differs by %.2g of its norm", path, p.Name, d)
					}
					largest = max(largest, d)
				}
				if want := len(grad.Tensors()) - 7; checked != want {
					t.Errorf("%d parameters, the published network has %d", checked, want)
				}
				t.Logf("largest relative difference of %d gradients: %.2g", checked, largest)
			})
		}
	}
}

// run is a network with a fixture's weights.
type run struct {
	net         *UNet
	store       *model.Store
	formulation nn.Formulation
	layers      []string
}

func newRun(t *testing.T, net *UNet, name string, f nn.Formulation) *run {
	r := &run{net: net, store: model.NewStore(), formulation: f}
	b := backendtest.Open(t)
	g := NewGraph(b, "declare")
	r.store.SetTraining(g, true)
	in := Input{X: Parameter(g, "x", nn.F32(1, current, side, side, 1)), Label: Parameter(g, "l", nn.F32(1)),
		Past: Parameter(g, "p", nn.F32(1, past, side, side, 1)), Future: Parameter(g, "f", nn.F32(1, future, side, side, 1)),
		Visible: mask.Nodes{Past: Parameter(g, "v", nn.F32(1))}}
	builder := nn.NewBuilder(b)
	builder.Trace = func(layer string, _ *Node) { r.layers = append(r.layers, layer) }
	net.Graph(builder, r.store.Scope("/net"), in)

	file := openFixture(t, name, "model")
	for v := range r.store.Scope("/net").IterVariables() {
		d := v.Shape().Dimensions
		p, err := PublishedName(r.layers, v.Path()[len("/net/"):], len(d))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(fromPublished(floats(t, file, p.Name), d, p.Layout), d...)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// call runs the network on the fixture's inputs and returns what collect picks.
func (r *run) call(t *testing.T, f *weights.File, x string, collect func(eps *Node, layers []*Node) []*Node) ([]string, []*tensors.Tensor) {
	t.Helper()
	b := backendtest.Open(t)
	exec, err := model.NewExec(b, r.store, func(s *model.Scope, in []*Node) []*Node {
		r.store.SetTraining(in[0].Graph(), true)
		builder := &nn.Builder{Formulation: r.formulation}
		var outputs []*Node
		builder.Trace = func(_ string, y *Node) { outputs = append(outputs, y) }
		eps := r.net.Graph(builder, r.store.Scope("/net"), Input{X: in[0], Label: in[1], Past: in[2], Future: in[3], Visible: mask.Nodes{Past: in[4]}})
		return collect(eps, outputs)
	})
	if err != nil {
		t.Fatal(err)
	}
	cond := image(t, f, "cond", past+future)
	cut := tensors.MustCopyFlatData[float32](cond)
	frame := side * side
	pasts, futures := make([]float32, 0, len(cut)), make([]float32, 0, len(cut))
	for i := range 2 {
		clip := cut[i*(past+future)*frame : (i+1)*(past+future)*frame]
		pasts, futures = append(pasts, clip[:past*frame]...), append(futures, clip[past*frame:]...)
	}
	outputs, err := exec.Call(image(t, f, x, current), integers(t, f, "labels"),
		tensors.FromFlatDataAndDimensions(pasts, 2, past, side, side, 1),
		tensors.FromFlatDataAndDimensions(futures, 2, future, side, side, 1), integers(t, f, "cond_mask"))
	if err != nil {
		t.Fatal(err)
	}
	return r.layers, outputs
}

func openFixture(t *testing.T, name, file string) *weights.File {
	t.Helper()
	f, err := weights.Open("testdata/" + name + "/" + file + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func floats(t *testing.T, f *weights.File, name string) []float32 {
	t.Helper()
	v, err := f.Float32s(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// integers reads an integer tensor as float32.
func integers(t *testing.T, f *weights.File, name string) []float32 {
	t.Helper()
	raw, err := f.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Lookup(name)
	size := len(raw) / info.Shape[0]
	v := make([]float32, info.Shape[0])
	for i := range v {
		v[i] = float32(uint32(raw[i*size]) | uint32(raw[i*size+1])<<8)
	}
	return v
}

// image reads grey frames that are stacked as channels, [2, frames, 16, 16], as [2, frames, 16, 16, 1].
func image(t *testing.T, f *weights.File, name string, frames int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(floats(t, f, name), 2, frames, side, side, 1)
}

// permuted returns values with axes in another order: result axis i is axis order[i] of values.
func permuted(values []float32, dims []int, order ...int) []float32 {
	strides := make([]int, len(dims))
	for i, s := len(dims)-1, 1; i >= 0; i-- {
		strides[i] = s
		s *= dims[i]
	}
	out := make([]float32, 0, len(values))
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(order) {
			out = append(out, values[at])
			return
		}
		for i := range dims[order[axis]] {
			walk(axis+1, at+i*strides[order[axis]])
		}
	}
	walk(0, 0)
	return out
}

// channelsFirst is a layer's output as the published code has it.
func channelsFirst(x *tensors.Tensor) []float32 {
	d, values := x.Shape().Dimensions, tensors.MustCopyFlatData[float32](x)
	if len(d) == 4 {
		return permuted(values, d, 0, 3, 1, 2)
	}
	return values
}

// fromPublished turns values stored in a published layout into ours, of dimensions d.
func fromPublished(values []float32, d []int, l Layout) []float32 {
	switch l {
	case DenseOI:
		return permuted(values, []int{d[1], d[0]}, 1, 0)
	case ConvOIHW:
		return permuted(values, []int{d[3], d[2], d[0], d[1]}, 2, 3, 1, 0)
	}
	return values
}

// toPublished is the inverse of fromPublished.
func toPublished(x *tensors.Tensor, l Layout) []float32 {
	d, values := x.Shape().Dimensions, tensors.MustCopyFlatData[float32](x)
	switch l {
	case DenseOI:
		return permuted(values, d, 1, 0)
	case ConvOIHW:
		return permuted(values, d, 3, 2, 0, 1)
	}
	return values
}

// worst is the largest |got - want| as a share of absolute + relative |want|; NaN if there is one, Inf if sizes differ.
func worst(got, want []float32, absolute, relative float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	w := 0.0
	for i := range got {
		if d := math.Abs(float64(got[i]-want[i])) / (absolute + relative*math.Abs(float64(want[i]))); !(d <= w) {
			w = d
		}
	}
	return w
}

// relative is the norm of the difference by the norm of want.
func relative(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var difference, norm float64
	for i := range got {
		d := float64(got[i]) - float64(want[i])
		difference, norm = difference+d*d, norm+float64(want[i])*float64(want[i])
	}
	return math.Sqrt(difference / norm)
}

// Names translate one to one.
func TestPublishedNamesAreUnique(t *testing.T) {
	for name, net := range fixtures {
		r := newRun(t, net, name, nn.Plain)
		seen := map[string]string{}
		for v := range r.store.Scope("/net").IterVariables() {
			p, err := PublishedName(r.layers, v.Path()[len("/net/"):], v.Shape().Rank())
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := seen[p.Name]; ok {
				t.Errorf("%s and %s are both %s", other, v.Path(), p.Name)
			}
			seen[p.Name] = v.Path()
		}
		if !slices.ContainsFunc(r.layers, func(l string) bool { return strings.HasSuffix(l, "attention") }) {
			t.Error("no attention layer seen")
		}
	}
}
