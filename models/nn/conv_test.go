package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/backendtest"
)

// Every formulation convolves images of all sizes as the plain one does: sides of one pixel, odd
// sides, batches of one, and numbers of channels that fill no vector of the CPU.
func TestConvolutionsOfAllSizes(t *testing.T) {
	b := backendtest.Open(t)
	for i, s := range []struct{ batch, height, width, in, out int }{
		{1, 1, 1, 1, 1}, {1, 1, 5, 3, 2}, {1, 7, 3, 1, 8}, {2, 2, 2, 4, 4}, {2, 5, 5, 5, 3}, {3, 9, 6, 2, 130},
		{1, 4, 4, 130, 1}, {1, 8, 8, 31, 33}, {2, 12, 16, 64, 32}, {1, 13, 11, 33, 64}, {1, 8, 8, 128, 128}, {4, 16, 16, 32, 64},
	} {
		for _, kernel := range []int{1, 3} {
			t.Run(fmt.Sprintf("%+v kernel %d", s, kernel), func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				draw := func(scale float64, dims ...int) *tensors.Tensor {
					x := wave(dims...)
					tensors.MustMutableFlatData(x, func(values []float32) {
						for i := range values {
							values[i] = float32(scale * random.NormFloat64())
						}
					})
					return x
				}
				taps := kernel * kernel * s.in
				inputs := []any{draw(1, s.batch, s.height, s.width, s.in), draw(1/math.Sqrt(float64(taps)), kernel, kernel, s.in, s.out), draw(1, s.out)}
				run := func(f Formulation) []float32 {
					exec, err := NewExec(b, func(in []*Node) *Node { return f.Conv(in[0], in[1], in[2]) })
					if err != nil {
						t.Fatal(err)
					}
					out, err := exec.Call(inputs...)
					if err != nil {
						t.Fatal(err)
					}
					return tensors.MustCopyFlatData[float32](out[0])
				}
				plain := run(Plain)
				for name, f := range map[string]Formulation{"go": Go, "xla": XLA} {
					for i, got := range run(f) {
						if want := float64(plain[i]); !(math.Abs(float64(got)-want) <= 1e-5*(1+math.Abs(want))) {
							t.Fatalf("%s: value %d: %g, want %g", name, i, got, want)
						}
					}
				}
			})
		}
	}
}
