package nn

import . "github.com/gomlx/gomlx/core/graph"

// withGradient returns forward(inputs) with a gradient of our own: backward gets the adjoint of the
// result and returns one adjoint for each input. It is called once, after forward, so it may use
// nodes that forward kept.
//
// GoMLX lets one attach a gradient to an identity only. So the forward pass stands behind
// StopGradient; a barrier, which is an identity with several outputs, hands (zero) adjoints to
// every input, so that the identity around each input has its gradient called and returns what the
// identity around the result, which runs first in the backward pass, has computed. The barrier
// would keep XLA from fusing; this form is for the pure-Go backend.
func withGradient(inputs []*Node, forward func(inputs []*Node) *Node, backward func(v *Node) []*Node) *Node {
	var adjoints []*Node
	all := make([]*Node, 1+len(inputs))
	for i, x := range inputs {
		all[1+i] = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return adjoints[i] })
	}
	all[0] = StopGradient(forward(inputs))
	y := OptimizationBarriers(all...)[0]
	return IdentityWithCustomGradient(y, func(_, v *Node) *Node { adjoints = backward(v); return v })
}
