package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/backendtest"
	"mcvd/models/nn"
)

// volume is [batch, time, height, width, channels] in memory.
type volume struct {
	dims   [5]int
	values []float64
}

func newVolume(dims ...int) volume {
	v := volume{dims: [5]int(dims)}
	v.values = make([]float64, v.dims[0]*v.dims[1]*v.dims[2]*v.dims[3]*v.dims[4])
	return v
}

func drawn(r *rand.Rand, dims ...int) volume {
	v := newVolume(dims...)
	for i := range v.values {
		v.values[i] = float64(float32(r.Float64()))
	}
	return v
}

func (v volume) at(i, t, y, x, c int) *float64 {
	return &v.values[(((i*v.dims[1]+t)*v.dims[2]+y)*v.dims[3]+x)*v.dims[4]+c]
}

func (v volume) inside(t, y, x int) bool {
	return t >= 0 && y >= 0 && x >= 0 && t < v.dims[1] && y < v.dims[2] && x < v.dims[3]
}

func (v volume) tensor() *tensors.Tensor {
	flat := make([]float32, len(v.values))
	for i, x := range v.values {
		flat[i] = float32(x)
	}
	return tensors.FromFlatDataAndDimensions(flat, v.dims[:]...)
}

// windows calls visit for each output position, each place of its window and the value there, 0
// outside.
func (v volume) windows(out volume, window, stride [3]int, before [3]int, visit func(i, t, y, x int, place [3]int, from [3]int)) {
	for i := range out.dims[0] {
		for t := range out.dims[1] {
			for y := range out.dims[2] {
				for x := range out.dims[3] {
					for a := range window[0] {
						for b := range window[1] {
							for c := range window[2] {
								from := [3]int{t*stride[0] + a - before[0], y*stride[1] + b - before[1], x*stride[2] + c - before[2]}
								if v.inside(from[0], from[1], from[2]) {
									visit(i, t, y, x, [3]int{a, b, c}, from)
								}
							}
						}
					}
				}
			}
		}
	}
}

// same is a tolerance of float32 sums.
func same(t *testing.T, what string, got []float32, want volume) {
	t.Helper()
	if len(got) != len(want.values) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want.values))
		return
	}
	for i, w := range want.values {
		if d := math.Abs(float64(got[i]) - w); !(d <= 1e-5*(1+math.Abs(w))) {
			t.Errorf("%s: value %d is %g, want %g", what, i, got[i], w)
			return
		}
	}
}

// runGraph runs a part of a network on the backend that tests run on.
func runGraph(t *testing.T, build func(b *builder, in []*Node) *Node, inputs ...any) []float32 {
	t.Helper()
	backend := backendtest.Open(t)
	exec, err := NewExec(backend, func(in []*Node) *Node {
		return build(&builder{Builder: nn.NewBuilder(backend), native: backend.String() != "go"}, in)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out[0])
}

// Every way to compute a convolution is the sum that defines it.
func TestConvolve(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		unit
		sizes [3]int // of the input
		out   [3]int
		zeros [3]int // before it
	}{
		{unit{kernel: [3]int{1, 1, 1}, stride: [3]int{1, 1, 1}, pad: keepSize}, [3]int{2, 3, 4}, [3]int{2, 3, 4}, [3]int{}},
		{unit{kernel: [3]int{3, 3, 3}, stride: [3]int{1, 1, 1}, pad: keepSize}, [3]int{4, 5, 6}, [3]int{4, 5, 6}, [3]int{1, 1, 1}},
		{unit{kernel: [3]int{3, 3, 3}, stride: [3]int{1, 1, 1}, pad: keepSize}, [3]int{1, 2, 3}, [3]int{1, 2, 3}, [3]int{1, 1, 1}},
		{unit{kernel: [3]int{7, 7, 7}, stride: [3]int{2, 2, 2}, pad: keepSize}, [3]int{9, 10, 11}, [3]int{5, 5, 6}, [3]int{3, 2, 3}},
		{unit{kernel: [3]int{1, 3, 3}, stride: [3]int{1, 1, 1}, pad: 1}, [3]int{1, 6, 5}, [3]int{1, 6, 5}, [3]int{0, 1, 1}},
		{unit{kernel: [3]int{1, 5, 5}, stride: [3]int{1, 1, 1}, pad: 2}, [3]int{1, 7, 6}, [3]int{1, 7, 6}, [3]int{0, 2, 2}},
		{unit{kernel: [3]int{1, 11, 11}, stride: [3]int{1, 4, 4}, pad: 2}, [3]int{1, 16, 19}, [3]int{1, 3, 4}, [3]int{0, 2, 2}},
		{unit{kernel: [3]int{1, 3, 3}, stride: [3]int{1, 1, 1}, pad: 0}, [3]int{1, 6, 5}, [3]int{1, 4, 3}, [3]int{}},
	} {
		u := tt.unit
		u.in, u.out = 3, 4
		x := drawn(r, 2, tt.sizes[0], tt.sizes[1], tt.sizes[2], u.in)
		w := drawn(r, u.kernel[0], u.kernel[1], u.kernel[2], u.in, u.out)
		bias := []float32{1, -2, 3, -4}
		want := newVolume(2, tt.out[0], tt.out[1], tt.out[2], u.out)
		for i := range want.values {
			want.values[i] = float64(bias[i%u.out])
		}
		x.windows(want, u.kernel, u.stride, tt.zeros, func(i, t, y, xx int, p, from [3]int) {
			for in := range u.in {
				for out := range u.out {
					*want.at(i, t, y, xx, out) += *x.at(i, from[0], from[1], from[2], in) * *w.at(p[0], p[1], p[2], in, out)
				}
			}
		})
		what := fmt.Sprintf("kernel %v, stride %v, pad %d of %v", u.kernel, u.stride, u.pad, tt.sizes)
		got := runGraph(t, func(b *builder, in []*Node) *Node { return b.convolve(in[0], in[1], in[2], u) }, x.tensor(), w.tensor(), bias)
		same(t, what, got, want)
		got = runGraph(t, func(b *builder, in []*Node) *Node { return stepSum(in[0], in[1], in[2], u, patchConv) }, x.tensor(), w.tensor(), bias)
		same(t, what+", by patches", got, want)
	}
}

func TestMaxPool(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct {
		window, stride [3]int
		same           bool
		sizes, out     [3]int
		zeros          [3]int
	}{
		{[3]int{1, 3, 3}, [3]int{1, 2, 2}, true, [3]int{2, 8, 7}, [3]int{2, 4, 4}, [3]int{0, 0, 1}},
		{[3]int{3, 3, 3}, [3]int{2, 2, 2}, true, [3]int{5, 4, 4}, [3]int{3, 2, 2}, [3]int{1, 0, 0}},
		{[3]int{3, 3, 3}, [3]int{1, 1, 1}, true, [3]int{3, 2, 4}, [3]int{3, 2, 4}, [3]int{1, 1, 1}},
		{[3]int{2, 2, 2}, [3]int{2, 2, 2}, true, [3]int{3, 4, 2}, [3]int{2, 2, 1}, [3]int{}},
		{[3]int{1, 3, 3}, [3]int{1, 2, 2}, false, [3]int{1, 8, 7}, [3]int{1, 3, 3}, [3]int{}},
		{[3]int{1, 2, 2}, [3]int{1, 2, 2}, false, [3]int{1, 5, 4}, [3]int{1, 2, 2}, [3]int{}},
	} {
		x := drawn(r, 2, tt.sizes[0], tt.sizes[1], tt.sizes[2], 2)
		want := newVolume(2, tt.out[0], tt.out[1], tt.out[2], 2)
		x.windows(want, tt.window, tt.stride, tt.zeros, func(i, t, y, xx int, _, from [3]int) {
			for c := range 2 {
				cell := want.at(i, t, y, xx, c)
				*cell = max(*cell, *x.at(i, from[0], from[1], from[2], c))
			}
		})
		got := runGraph(t, func(b *builder, in []*Node) *Node { return maxPool(in[0], tt.window, tt.stride, tt.same) }, x.tensor())
		same(t, fmt.Sprintf("window %v, stride %v of %v", tt.window, tt.stride, tt.sizes), got, want)
	}
}

// A linear picture stays linear between the centres of its outermost pixels, and is flat beyond;
// what is wider than high is cut to its middle.
func TestResizeGraph(t *testing.T) {
	const side = 10
	ramp := newVolume(1, 1, 4, 8, 1)
	for y := range 4 {
		for x := range 8 {
			*ramp.at(0, 0, y, x, 0) = float64(x) + 100*float64(y)
		}
	}
	want := newVolume(1, 1, side, side, 1)
	for y := range side {
		for x := range side {
			at := func(i, from int, scale float64) float64 {
				return min(max((float64(i)+0.5)*scale-0.5, 0), float64(from-1))
			}
			*want.at(0, 0, y, x, 0) = at(x+5, 8, 8.0/20) + 100*at(y, 4, 4.0/10)
		}
	}
	same(t, "a ramp", runGraph(t, func(b *builder, in []*Node) *Node { return resizeGraph(in[0], side) }, ramp.tensor()), want)
	for _, d := range [][3]int{{16, 64, 224}, {300, 300, 224}, {7, 224, 224}, {5, 5, 5}} {
		m := interpolation(d[0], d[1], 0, min(d[1], d[2]))
		for row := range m[0] {
			var sum float32
			for i := range m {
				sum += m[i][row]
			}
			if !(math.Abs(float64(sum)-1) <= 1e-6) {
				t.Errorf("%v: weights of pixel %d add up to %g", d, row, sum)
			}
		}
	}
}

func TestOrderedIsATransposition(t *testing.T) {
	dims := []int{2, 1, 2, 3}
	// In the file, the axes are 3, 0, 2: [3, 2, 2].
	inFile := []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	got := ordered(inFile, []int{3, 0, 2}, dims)
	var want []float32
	for a := range 2 {
		for c := range 2 {
			for d := range 3 {
				want = append(want, inFile[d*4+a*2+c])
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
