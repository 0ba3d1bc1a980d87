package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
)

// conditioning is how past and future frames enter a UNet. Variants of the network differ in
// nothing else.
type conditioning interface {
	// input is what the first convolution sees: x, the folded noisy frames, [batch, height, width,
	// channels], perhaps with more.
	input(n *unetGraph, x *Node) *Node
	// norm normalizes x [batch, height, width, channels], multiplies it by scale, adds shift, and
	// applies SiLU. The embedding gives scale and shift, each [batch, channels]. At the end of the
	// network, which doesn't see the embedding, both are nil.
	norm(n *unetGraph, s *model.Scope, x, scale, shift *Node) *Node
	// caches says whether norms use Input.Cache.
	caches() bool
}

// conditionings are the values of model.options.conditioning, each with the defaults of its own
// options.
var conditionings = map[string]conditioning{
	"concat": concat{},
	"spatin": spatin{Width: 128},
}

// Conditionings lists the ways of conditioning.
func Conditionings() []string { return configs.Names(conditionings) }
