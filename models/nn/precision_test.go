package nn

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/backendtest"
)

// With an image in bfloat16, every operation gives an image in bfloat16 and gradients of the types
// of its inputs, near those of float32: a value has 8 bits, so a relative error of 1/256 or so by
// norm, a few times that in gradients.
func TestPrecision(t *testing.T) {
	b := backendtest.Open(t)
	for _, op := range operations() {
		if b.String() == "go" {
			t.Skip("the Go backend computes in float32: nn.Precision refuses bfloat16 there")
		}
		t.Run(op.name, func(t *testing.T) {
			run := func(f Formulation, image dtypes.DType) []*tensors.Tensor {
				exec, err := NewExec(b, func(in []*Node) []*Node {
					converted := append([]*Node(nil), in...)
					for i, x := range in {
						if x.Rank() == 4 { // images and kernels; biases, scales and shifts stay float32
							converted[i] = ConvertDType(x, image)
						}
					}
					y := op.apply(f, converted)
					if y.DType() != image {
						t.Errorf("an image of %s gives %s", image, y.DType())
					}
					y = ConvertDType(y, dtypes.Float32)
					return append([]*Node{y}, Gradient(weighed(y), in...)...)
				})
				if err != nil {
					t.Fatal(err)
				}
				defer exec.Finalize()
				out, err := exec.Call(op.args()...)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			want := run(Plain, dtypes.Float32)
			for name, f := range map[string]Formulation{"plain": Plain, "xla": XLA} {
				for i, got := range run(f, dtypes.BFloat16) {
					if d := relative(got, want[i]); !(d <= 0.03) {
						t.Errorf("%s: output %d (0 the value, then gradients): differs by %.2g of its norm", name, i, d)
					}
				}
			}
		})
	}
}

// relative is the norm of the difference by the norm of want.
func relative(got, want *tensors.Tensor) float64 {
	x, y := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
	var difference, norm float64
	for i := range x {
		d := float64(x[i]) - float64(y[i])
		difference, norm = difference+d*d, norm+float64(y[i])*float64(y[i])
	}
	return math.Sqrt(difference / norm)
}
