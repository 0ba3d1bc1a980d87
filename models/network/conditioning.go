package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
)

// conditioning is how past and future frames enter a UNet. It is all in which the variants of the network differ.
type conditioning interface {
	// input is what the first convolution sees: x, the folded noisy frames, [batch, height, width, channels], perhaps with more.
	input(n *unetGraph, x *Node) *Node
	// norm normalizes x [batch, height, width, channels], then times scale, plus shift, each [batch, channels], which the embedding
	// gives; then SiLU. Both are nil at the end of the network, which doesn't see the embedding.
	norm(n *unetGraph, s *model.Scope, x, scale, shift *Node) *Node
	// hasMaps says whether norms use Input.Maps.
	hasMaps() bool
}

// conditionings are the values of model.conditioning.
var conditionings = map[string]func(configs.Model) conditioning{
	"concat": func(configs.Model) conditioning { return concat{} },
	"spatin": func(m configs.Model) conditioning { return spatin{width: m.SpatinWidth} },
}

// Conditionings lists the ways of conditioning.
func Conditionings() []string { return configs.Names(conditionings) }

// Maps are pairs of images that a network makes of the conditioning frames alone. They are the same in every step of a window, so
// sampling makes them once: see Input. The zero Maps records the pairs that a Graph makes, in building order.
type Maps struct {
	Nodes []*Node // [batch, height, width, channels] each
	given bool
	used  int
}

// GivenMaps are maps that were recorded before; a Graph uses them instead of making them.
func GivenMaps(nodes []*Node) *Maps { return &Maps{Nodes: nodes, given: true} }

// pair returns the next pair of maps: the given one, or what build makes, which is recorded unless m is nil.
func (m *Maps) pair(build func() (*Node, *Node)) (*Node, *Node) {
	if m != nil && m.given {
		m.used += 2
		return m.Nodes[m.used-2], m.Nodes[m.used-1]
	}
	first, second := build()
	if m != nil {
		m.Nodes = append(m.Nodes, first, second)
	}
	return first, second
}
