package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/nn"
)

// Build builds a network for a batch, with its parameters under scope. If the backend is faster
// that way, the batch is cut into parts that run side by side. The result is the same. It is shaped
// like in.X, or [batch, classes] of a classifier.
func Build(net Network, b *nn.Builder, scope *model.Scope, in Input) *Node {
	inputs := []*Node{in.X, in.Label}
	optional := []**Node{&in.Past, &in.Future, &in.Visible, &in.Before, &in.Times, &in.PastNoise}
	for _, x := range optional {
		if *x != nil {
			inputs = append(inputs, *x)
		}
	}
	return b.InParts(inputs, func(number int, part []*Node) *Node {
		one := in
		one.X, one.Label, one.Cache = part[0], part[1], in.Cache.ofPart(number)
		rest := part[2:]
		for _, x := range []**Node{&one.Past, &one.Future, &one.Visible, &one.Before, &one.Times, &one.PastNoise} {
			if *x != nil {
				*x, rest = rest[0], rest[1:]
			}
		}
		f := net.Graph(b, scope, one)
		d := one.X.Shape().Dimensions
		want := []int{d[0], d[1], d[2], d[3], in.outputs()}
		if classes := Classes(net); classes != nil {
			want = []int{d[0], len(classes)}
		}
		f.AssertDims(want...)
		return f
	})
}
