package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Recompute is f(inputs). The parameters of f are under scope, and f uses no other image than the
// inputs. If b.Checkpointing is set, the backward pass computes f again from the inputs, with the
// same dropout, instead of keeping what f computes on its way (gradient checkpointing; Chen et al.
// 2016, "Training deep nets with sublinear memory cost"). Values and gradients are the same.
//
// GoMLX's own Node.Checkpoint would keep what the gradients of a [Formulation] use.
func (b *Builder) Recompute(scope *model.Scope, inputs []*Node, f func(inputs []*Node) *Node) *Node {
	if !b.Checkpointing {
		return f(inputs)
	}
	random := b.Random
	y := f(inputs)
	linked := inputs[:len(inputs):len(inputs)]
	for v := range scope.IterVariables() {
		linked = append(linked, v.NodeValue(y.Graph()))
	}
	return withGradient(linked, func([]*Node) *Node { return y }, func(adjoint *Node) []*Node {
		wanted := make([]*Node, len(inputs), len(linked))
		for i, x := range inputs {
			// Adjoints end here. GoMLX computes those of everything before the block.
			wanted[i] = IdentityWithCustomGradient(onceThereIs(adjoint, x), func(_, _ *Node) *Node { return nil })
		}
		now := *b
		defer func() { *b = now }()
		b.Random = random
		if random.State != nil {
			b.Random.State = onceThereIs(adjoint, random.State)
		}
		y := f(wanted)
		return Gradient(ReduceAllSum(Mul(y, StopGradient(adjoint))), append(wanted, linked[len(inputs):]...)...)
	})
}

// onceThereIs is x plus zero times a value that must be computed before it. A barrier would not do:
// XLA's CPU plugin ignores barriers when it orders operations, and on the Go backend they wait for
// nothing.
func onceThereIs(before, x *Node) *Node {
	first := make([]SliceAxisSpec, before.Rank())
	for i := range first {
		first[i] = AxisElem(0)
	}
	zero := MulScalar(ConvertDType(Reshape(Slice(before, first...)), dtypes.Float32), 0)
	return Add(x, ConvertDType(zero, x.DType()))
}
