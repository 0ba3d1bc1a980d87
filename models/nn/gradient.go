package nn

import . "github.com/gomlx/gomlx/core/graph"

// withGradient returns forward(inputs) with a gradient of our own. backward gets the adjoint of the
// result and returns one adjoint for each input. It is called once, after forward, so it may use
// nodes that forward kept.
//
// GoMLX can attach a gradient only to an identity. So the forward pass stands behind StopGradient,
// and a barrier links the inputs to the result. The barrier is an identity with several outputs. In
// the backward pass, the identity around the result runs first and computes all adjoints. The
// barrier then hands adjoints of zero to every input, so that the identity around each input is
// called too, and returns what was computed.
//
// The barrier would keep XLA from fusing, so this form is for the pure-Go backend.
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
