package nn

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

func plainSiLU(x *Node) *Node {
	y := f32(x)
	return like(x, Mul(y, Logistic(y)))
}

// goSiLU keeps the logistic function of the forward pass for the gradient.
func goSiLU(x *Node) *Node {
	var s, y *Node
	return withGradient([]*Node{x}, func(inputs []*Node) *Node {
		s = Logistic(inputs[0])
		y = Mul(inputs[0], s)
		return y
	}, func(v *Node) []*Node { return []*Node{Mul(v, Add(s, Sub(y, Mul(y, s))))} })
}

// Dropout drops values with the given probability and scales the rest up, if the Builder has a
// Random state.
func (b *Builder) Dropout(x *Node, probability float64) *Node {
	if b.Random.State == nil || probability == 0 {
		return x
	}
	var u *Node
	b.Random, u = b.Random.Uniform(shapes.Make(x.DType(), x.Shape().Dimensions...))
	keep := GreaterOrEqual(u, Scalar(x.Graph(), x.DType(), probability))
	return Where(keep, MulScalar(x, 1/(1-probability)), ZerosLike(x))
}
