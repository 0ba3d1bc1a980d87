package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/nn"
)

// concat gives the network past and future frames as more channels of its input.
type concat struct{}

// concatEpsilon is the epsilon of the concat network's norms.
const concatEpsilon = 1e-5

func (concat) input(n *unetGraph, x *Node) *Node {
	if n.cond == nil {
		return x
	}
	return Concatenate([]*Node{x, n.cond}, -1)
}

// norm is group norm and SiLU; at the end of the network its scale and shift are learned.
func (concat) norm(n *unetGraph, s *model.Scope, x, scale, shift *Node) *Node {
	if scale == nil {
		return n.b.GroupNorm(s, x, concatEpsilon, true)
	}
	return n.b.Norm(x, scale, shift, nn.Groups(x.Shape().Dimensions[3]), concatEpsilon, true)
}

func (concat) caches() bool { return false }
