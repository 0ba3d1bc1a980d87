package nn

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/backendtest"
)

// What is computed again uses the adjoint, so that no backend can compute it before: the adjoint's
// first value, a NaN, reaches all of it.
func TestRecomputationWaitsForTheAdjoint(t *testing.T) {
	backend := backendtest.Open(t)
	for _, checkpointing := range []bool{false, true} {
		exec, err := model.NewExec(backend, model.NewStore(), func(scope *model.Scope, x, adjoint *Node) *Node {
			b := NewBuilder(backend)
			b.Checkpointing = checkpointing
			y := b.Recompute(scope, []*Node{x}, func(in []*Node) *Node { return Square(in[0]) })
			return Gradient(ReduceAllSum(Mul(y, adjoint)), x)[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		gradient, err := exec.Call1(tensors.FromValue([]float32{1, 2, 3}), tensors.FromValue([]float32{float32(math.NaN()), 1, 1}))
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range tensors.MustCopyFlatData[float32](gradient) {
			want := 2 * float64(i+1)
			if i == 0 || checkpointing {
				want = math.NaN()
			}
			if !(float64(got) == want) && !(math.IsNaN(float64(got)) && math.IsNaN(want)) {
				t.Errorf("checkpointing %v: gradient %d is %g, want %g", checkpointing, i, got, want)
			}
		}
	}
}
