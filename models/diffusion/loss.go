package diffusion

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
)

// Loss compares a prediction with its target, both [batch, frames, ...]: one value a frame, [batch,
// frames], summed over the frame.
type Loss func(prediction, target *Node) *Node

// losses are the values of diffusion.loss.
var losses = map[string]Loss{
	"l2": func(p, t *Node) *Node { return MulScalar(sumFrames(Square(Sub(p, t))), 0.5) },
	"l1": func(p, t *Node) *Node { return sumFrames(Abs(Sub(p, t))) },
}

// NewLoss returns the loss that the configuration names.
func NewLoss(name string) (Loss, error) { return configs.Pick(losses, "diffusion.loss", name) }

// Losses lists the losses.
func Losses() []string { return configs.Names(losses) }

// sumFrames sums over everything but batch and frames.
func sumFrames(x *Node) *Node {
	d := x.Shape().Dimensions
	return ReduceSum(Reshape(x, d[0], d[1], -1), 2)
}
