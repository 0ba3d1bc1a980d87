package nn

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/backendtest"
)

// wave is a tensor of values in [-0.7, 0.7] without symmetries.
func wave(dims ...int) *tensors.Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(0.7 * math.Sin(1.7*float64(i)))
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

// shifted is x with its values moved by n places, so that not all inputs are the same.
func shifted(x *tensors.Tensor, n int) *tensors.Tensor {
	v := tensors.MustCopyFlatData[float32](x)
	return tensors.FromFlatDataAndDimensions(append(v[n:len(v):len(v)], v[:n]...), x.Shape().Dimensions...)
}

// weighed sums y with a different weight for each value, so that no two values' gradients can be
// exchanged unseen.
func weighed(y *Node) *Node {
	return ReduceAllSum(Mul(y, Sin(Reshape(IotaFull(y.Graph(), F32(y.Shape().Size())), y.Shape().Dimensions...))))
}

// operation is one operation of a formulation, on inputs that the test makes.
type operation struct {
	name   string
	inputs []*tensors.Tensor
	apply  func(f Formulation, in []*Node) *Node
}

func operations() []operation {
	x := wave(2, 4, 6, 8)
	return []operation{
		{"3x3 convolution", []*tensors.Tensor{x, wave(3, 3, 8, 5), wave(5)},
			func(f Formulation, in []*Node) *Node { return f.Conv(in[0], in[1], in[2], nil) }},
		{"3x3 convolution, half sum", []*tensors.Tensor{x, wave(3, 3, 8, 5), wave(5), wave(2, 4, 6, 5)},
			func(f Formulation, in []*Node) *Node { return f.Conv(in[0], in[1], in[2], in[3]) }},
		{"1x1 convolution, half sum", []*tensors.Tensor{x, wave(1, 1, 8, 5), wave(5), wave(2, 4, 6, 5)},
			func(f Formulation, in []*Node) *Node { return f.Forward(in[0], in[1], in[2], in[3]) }},
		{"1x1 convolution", []*tensors.Tensor{x, wave(1, 1, 8, 5), wave(5)},
			func(f Formulation, in []*Node) *Node { return f.Conv(in[0], in[1], in[2], nil) }},
		{"norm", []*tensors.Tensor{x, wave(2, 8), wave(2, 8)},
			func(f Formulation, in []*Node) *Node { return f.Norm(in[0], in[1], in[2], 2, 1e-5, false) }},
		{"norm and SiLU", []*tensors.Tensor{x, wave(2, 8), wave(2, 8)},
			func(f Formulation, in []*Node) *Node { return f.Norm(in[0], in[1], in[2], 2, 1e-5, true) }},
		{"norm without affine", []*tensors.Tensor{x},
			func(f Formulation, in []*Node) *Node { return f.Norm(in[0], nil, nil, 4, 1e-6, false) }},
		{"spatial norm and SiLU", []*tensors.Tensor{x, shifted(x, 1), shifted(x, 2), wave(2, 8), wave(2, 8)},
			func(f Formulation, in []*Node) *Node {
				return f.SpatialNorm(in[0], in[1], in[2], in[3], in[4], 2, 1e-5, true)
			}},
		{"spatial norm without affine", []*tensors.Tensor{x, shifted(x, 1), shifted(x, 2)},
			func(f Formulation, in []*Node) *Node {
				return f.SpatialNorm(in[0], in[1], in[2], nil, nil, 4, 1e-6, false)
			}},
		{"attention", []*tensors.Tensor{wave(2, 15, 2, 8), wave(2, 15, 2, 8), wave(2, 15, 2, 8)},
			func(f Formulation, in []*Node) *Node { return f.Attend(in[0], Sin(MulScalar(in[1], 3)), Neg(in[2])) }},
		{"SiLU", []*tensors.Tensor{x}, func(f Formulation, in []*Node) *Node { return f.SiLU(in[0]) }},
		{"up", []*tensors.Tensor{x}, func(f Formulation, in []*Node) *Node { return f.Resample(in[0], true) }},
		{"down to a pixel", []*tensors.Tensor{wave(2, 2, 2, 8)}, func(f Formulation, in []*Node) *Node { return f.Resample(in[0], false) }},
		{"up from a pixel", []*tensors.Tensor{wave(2, 1, 1, 8)}, func(f Formulation, in []*Node) *Node { return f.Resample(in[0], true) }},
		{"down", []*tensors.Tensor{x}, func(f Formulation, in []*Node) *Node { return f.Resample(in[0], false) }},
	}
}

func (o operation) args() []any {
	args := make([]any, len(o.inputs))
	for i, x := range o.inputs {
		args[i] = x
	}
	return args
}

// Every formulation computes the values and the gradients of the plain one.
func TestFormulationsAgree(t *testing.T) {
	b := backendtest.Open(t)
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			run := func(f Formulation) []*tensors.Tensor {
				exec, err := NewExec(b, func(in []*Node) []*Node {
					y := op.apply(f, in)
					return append([]*Node{y}, Gradient(weighed(y), in...)...)
				})
				if err != nil {
					t.Fatal(err)
				}
				out, err := exec.Call(op.args()...)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			plain := run(Plain)
			for name, f := range map[string]Formulation{"go": Go, "xla": XLA} {
				fast := run(f)
				for i := range plain {
					if d := distance(plain[i], fast[i]); !(d <= 2e-5) {
						t.Errorf("%s: output %d (0 the value, then gradients): differs by %g", name, i, d)
					}
				}
			}
		})
	}
}

// The gradients of the plain formulation are those of central differences; with the test above, so
// are all others.
func TestPlainGradients(t *testing.T) {
	b := backendtest.Open(t)
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			loss := func(in []*Node) *Node { return weighed(op.apply(Plain, in)) }
			gradients, err := NewExec(b, func(in []*Node) []*Node { return Gradient(loss(in), in...) })
			if err != nil {
				t.Fatal(err)
			}
			value, err := NewExec(b, loss)
			if err != nil {
				t.Fatal(err)
			}
			got, err := gradients.Call(op.args()...)
			if err != nil {
				t.Fatal(err)
			}
			for i, input := range op.inputs {
				base, grad := tensors.MustCopyFlatData[float32](input), tensors.MustCopyFlatData[float32](got[i])
				for j := 0; j < len(base); j += max(1, len(base)/7) {
					at := func(delta float32) float64 {
						moved := append([]float32(nil), base...)
						moved[j] += delta
						args := op.args()
						args[i] = tensors.FromFlatDataAndDimensions(moved, input.Shape().Dimensions...)
						out, err := value.Call(args...)
						if err != nil {
							t.Fatal(err)
						}
						return float64(tensors.ToScalar[float32](out[0]))
					}
					const h = 1e-2
					want := (at(h) - at(-h)) / (2 * h)
					if !(math.Abs(want-float64(grad[j])) <= 1e-2*(1+math.Abs(want))) {
						t.Errorf("input %d, value %d: gradient %g, want %g", i, j, grad[j], want)
					}
				}
			}
		})
	}
}

// distance is the largest absolute difference; NaN if there is one.
func distance(a, b *tensors.Tensor) float64 {
	x, y := tensors.MustCopyFlatData[float32](a), tensors.MustCopyFlatData[float32](b)
	worst := 0.0
	for i := range x {
		worst = max(worst, math.Abs(float64(x[i]-y[i]))) // NaN stays
	}
	return worst
}

// A constant image stays constant away from the border, for up and for down: the filter's weights
// sum to 1.
func TestResampleKeepsConstants(t *testing.T) {
	for _, up := range []bool{true, false} {
		m := firMatrix(16, up)
		for i := 2; i < len(m)-2; i++ {
			sum := 0.0
			for _, w := range m[i] {
				sum += float64(w)
			}
			if !(math.Abs(sum-1) <= 1e-6) {
				t.Errorf("up %t: weights of row %d sum to %g, want 1", up, i, sum)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	for channels, want := range map[int]int{4: 1, 8: 2, 32: 8, 96: 24, 128: 32, 192: 32, 288: 32, 36: 9, 20: 5, 44: 11, 24 * 11: 24, 5: 1, 1: 1} {
		if got := Groups(channels); got != want {
			t.Errorf("Groups(%d) = %d, want %d", channels, got, want)
		}
	}
}

// First weights depend on the seed and the name only, and have the variance asked for.
func TestInitDraw(t *testing.T) {
	init := FanAvg(1, 300, 100)
	a, b := init.draw(1, "x", 20000), init.draw(1, "x", 10)
	sum := 0.0
	for i, v := range a {
		if i < len(b) && v != b[i] {
			t.Fatalf("value %d depends on the number of values", i)
		}
		sum += float64(v) * float64(v)
	}
	if got, want := sum/float64(len(a)), 1.0/200; !(math.Abs(got-want) <= 0.03*want) {
		t.Errorf("variance %g, want %g", got, want)
	}
	if c := init.draw(2, "x", 10); c[0] == b[0] {
		t.Error("another seed gives the same weights")
	}
	if c := init.draw(1, "y", 10); c[0] == b[0] {
		t.Error("another name gives the same weights")
	}
}

func TestDropout(t *testing.T) {
	b := backendtest.Open(t)
	exec, err := NewExec(b, func(x *Node) []*Node {
		builder := NewBuilder(b)
		without := builder.Dropout(x, 0.25)
		builder.Random.State = RNGStateFromSeedForGraph(x.Graph(), 3)
		return []*Node{without, builder.Dropout(x, 0.25)}
	})
	if err != nil {
		t.Fatal(err)
	}
	ones := make([]float32, 40000)
	for i := range ones {
		ones[i] = 1
	}
	out, err := exec.Call(ones)
	if err != nil {
		t.Fatal(err)
	}
	if d := distance(out[0], tensors.FromValue(ones)); d != 0 {
		t.Errorf("without a random state values change by %g", d)
	}
	dropped, sum := 0, 0.0
	for _, v := range tensors.MustCopyFlatData[float32](out[1]) {
		if v == 0 {
			dropped++
		}
		sum += float64(v)
	}
	if got := float64(dropped) / 40000; !(math.Abs(got-0.25) <= 0.01) {
		t.Errorf("dropped %g of the values, want 0.25", got)
	}
	if !(math.Abs(sum/40000-1) <= 0.02) {
		t.Errorf("mean %g, want 1", sum/40000)
	}
}

// With no queries and keys, attention adds the mean over all pixels of the normalized image, here
// the image itself, constant in each channel. Its variance is as small as the norm's epsilon, so
// that a wrong one shows.
func TestAttentionOfAConstantImage(t *testing.T) {
	const c = 4
	var x []float32
	for range 2 * 3 { // pixels
		x = append(x, -3e-3, -1e-3, 1e-3, 3e-3)
	}
	store := model.NewStore()
	identity := make([]float32, c*c)
	for i := range c {
		identity[i*c+i] = 1
	}
	set := func(path string, values []float32, dims ...int) {
		scope, name := model.SplitPath("/" + path)
		if _, err := store.Scope(scope).CreateVariable(name, tensors.FromFlatDataAndDimensions(values, dims...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"q", "k", "v", "out"} {
		w := identity
		if name == "q" || name == "k" {
			w = make([]float32, c*c)
		}
		set(name+"/w", w, c, c)
		set(name+"/b", make([]float32, c), c)
	}
	set("norm/scale", []float32{1, 1, 1, 1}, c)
	set("norm/shift", make([]float32, c), c)
	b := backendtest.Open(t)
	exec, err := model.NewExec(b, store, func(s *model.Scope, x *Node) []*Node {
		return []*Node{NewBuilder(b).Attention(s, x, 2)}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(x, 1, 2, 3, c))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range tensors.MustCopyFlatData[float32](out[0]) {
		value := float64(x[i])
		want := (value + value/math.Sqrt(5e-6+1e-6)) / math.Sqrt2 // the variance is 5e-6
		if !(math.Abs(float64(got)-want) <= 1e-4*math.Abs(want)) {
			t.Fatalf("value %d: %g, want %g", i, got, want)
		}
	}
}
