//go:build cgo && linux && amd64 && !noxla

package xlakernels_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/xlakernels"
	"mcvd/models/nn"
)

// Random numbers have XLA's own bits, whatever their number, and where the counter overflows. So has the next
// state, from which the next ones are drawn. A number that is drawn is rounded, but so differently that each of its bits is seen in some.
func TestRandomNumbersHaveTheSameBits(t *testing.T) {
	kernels, plain := both(t)
	sizes := []int{1, 3, 4, 5, 31, 32, 33, 64, 127, 16384, 16385, 50_003, 11}
	draw := func(in []*Node) (results []*Node) {
		state := ConvertDType(in[0], dtypes.Uint64)
		// The lower word of the counter overflows after 5,000 counts, and with it the upper one.
		state = Add(state, Const(in[0].Graph(), []uint64{0, math.MaxUint64 - 5000, math.MaxUint64}))
		for _, n := range sizes {
			var u *Node
			state, u = RandomUniform(state, shapes.Make(dtypes.Float32, n))
			results = append(results, u)
		}
		return results
	}
	key := tensors.FromValue([]float32{1 << 40, 0, 0})
	want, err := run(t, plain, draw, key)
	if err != nil {
		t.Fatal(err)
	}
	before := xlakernels.Totals()
	for _, vectors := range []xlakernels.Vectors{xlakernels.AVX2, xlakernels.AVX512} {
		if !xlakernels.UseVectors(vectors) {
			t.Logf("this processor has no %s", vectors)
			continue
		}
		got, err := run(t, kernels, draw, key)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range sizes {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("%s: %d numbers differ from XLA's", vectors, n)
			}
		}
	}
	if _, by := since(before); by["random"] < len(sizes) {
		t.Errorf("kernels serve %v, want %d random", by, len(sizes))
	}
}

// update is the formula of an update, as xlakernels.Calls says it.
func update(in []*Node) []*Node {
	g, w, mean, square, average := in[0], in[2], in[3], in[4], in[5]
	k := func(i int) *Node { return Reshape(Slice(in[1], AxisElem(i))) }
	mean = Add(Mul(k(7), mean), Mul(k(2), g))
	square = Add(Mul(k(8), square), Mul(k(3), Mul(g, g)))
	w = Sub(Mul(k(6), w), Div(Mul(k(4), mean), Add(Mul(k(5), Sqrt(square)), k(9))))
	return []*Node{w, mean, square, Add(Mul(k(0), average), Mul(k(1), w))}
}

// separately is an update whose operations are rounded one by one. The square that comes in is the square of
// what is given.
func separately(of []*tensors.Tensor, numbers *tensors.Tensor) [][]float32 {
	k := tensors.MustCopyFlatData[float32](numbers)
	var in [5][]float32 // gradients, weights, mean, root of the square, average
	for i := range in {
		in[i] = tensors.MustCopyFlatData[float32](of[i])
	}
	out := make([][]float32, 4)
	for i, g := range in[0] {
		mean := float32(k[7]*in[2][i]) + float32(k[2]*g)
		square := float32(k[8]*float32(in[3][i]*in[3][i])) + float32(k[3]*float32(g*g))
		root := float32(math.Sqrt(float64(square)))
		w := float32(k[6]*in[1][i]) - float32(k[4]*mean)/(float32(k[5]*root)+k[9])
		average := float32(k[0]*in[4][i]) + float32(k[1]*w)
		for r, x := range []float32{w, mean, square, average} {
			out[r] = append(out[r], x)
		}
	}
	return out
}

// An update by the kernel is that by XLA's operations, and has the bits of separate ones, whatever the shape and the number of weights.
func TestUpdates(t *testing.T) {
	kernels, plain := both(t)
	shapes := [][]int{{1}, {7}, {8}, {3, 5}, {33}, {3, 3, 16, 32}, {16384}, {16391}, {2, 20_000}}
	inputs := []*tensors.Tensor{tensors.FromValue([]float32{0.9, 0.1, 0.05, 0.002, 1e-2, 1.3, 0.999, 0.95, 0.998, 1e-3})}
	for _, dims := range shapes {
		for range 5 {
			inputs = append(inputs, random(dims...))
		}
	}
	all := func(in []*Node) (results []*Node) {
		for i := range shapes {
			of := in[1+5*i : 6+5*i]
			results = append(results, nn.Kernel("adamw", update, of[0], in[0], of[1], of[2], Square(of[3]), of[4])...)
		}
		return results
	}
	want, err := run(t, plain, all, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	var separate [][]float32
	for i := range shapes {
		separate = append(separate, separately(inputs[1+5*i:6+5*i], inputs[0])...)
	}
	before := xlakernels.Totals()
	for _, vectors := range []xlakernels.Vectors{xlakernels.AVX2, xlakernels.AVX512} {
		if !xlakernels.UseVectors(vectors) {
			t.Logf("this processor has no %s", vectors)
			continue
		}
		got, err := run(t, kernels, all, inputs...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if d := off(got[i], want[i]); !(d <= 1e-6) {
				t.Errorf("%s: result %d of shape %v is off by %g of the largest value", vectors, i%4, shapes[i/4], d)
			}
			if !slices.Equal(got[i], separate[i]) {
				t.Errorf("%s: result %d of shape %v doesn't have the bits of separate operations", vectors, i%4, shapes[i/4])
			}
		}
	}
	if _, by := since(before); by["adamw"] < len(shapes) {
		t.Errorf("kernels serve %v, want %d adamw", by, len(shapes))
	}
}

// Arrays that are not for these kernels are errors of the call.
func TestUpdatesOfWrongArrays(t *testing.T) {
	kernels, _ := both(t)
	defer xlakernels.Twist(nil)
	for name, c := range map[string]struct {
		kernel string
		dims   [6][]int // of the gradients, the numbers, the weights, and what is beside them
	}{
		"fewer weights":           {"adamw", [6][]int{{8}, {10}, {7}, {8}, {8}, {8}}},
		"another shape":           {"adamw", [6][]int{{8}, {10}, {8}, {8}, {8}, {2, 4}}},
		"no state of a generator": {"random", [6][]int{{8}, {10}, {8}, {8}, {8}, {8}}},
	} {
		var inputs []*tensors.Tensor
		for _, dims := range c.dims {
			inputs = append(inputs, random(dims...))
		}
		xlakernels.Twist(func(p []byte) []byte {
			return bytes.ReplaceAll(p, []byte(`"mcvd_adamw"`), []byte(`"mcvd_`+c.kernel+`"`))
		})
		_, err := run(t, kernels, func(in []*Node) []*Node {
			return nn.Kernel("adamw", func(in []*Node) []*Node { return []*Node{in[2], in[3], in[4], in[5]} }, in...)
		}, inputs...)
		if err == nil || !strings.Contains(err.Error(), "not for this kernel") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
