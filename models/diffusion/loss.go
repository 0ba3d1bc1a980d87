package diffusion

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
)

// Loss compares a prediction with its target, both [batch, frames, ...]: one value a frame, [batch,
// frames], summed over the frame.
type Loss interface {
	Of(prediction, target *Node) *Node
}

// losses are the values of diffusion.loss, each with the defaults of its options.
var losses = map[string]Loss{
	"l2":    l2{},
	"l1":    l1{},
	"huber": huber{Turn: 0.1},
}

type l2 struct{}

func (l2) Of(p, t *Node) *Node { return MulScalar(sumFrames(Square(Sub(p, t))), 0.5) }

type l1 struct{}

func (l1) Of(p, t *Node) *Node { return sumFrames(Abs(Sub(p, t))) }

// huber is the pseudo-Huber loss c (sqrt(d^2 + c^2) - c): half the squared error d where d is much
// smaller than c, and c times the absolute error where it is much larger.
type huber struct {
	Turn float64 `yaml:"huber" range:"[1e-4, 100]" doc:"The error at which the loss turns from squared to absolute."`
}

func (h huber) Of(p, t *Node) *Node {
	root := Sqrt(AddScalar(Square(Sub(p, t)), h.Turn*h.Turn))
	return MulScalar(sumFrames(AddScalar(root, -h.Turn)), h.Turn)
}

// Losses lists the losses.
func Losses() []string { return configs.Names(losses) }

// sumFrames sums over everything but batch and frames.
func sumFrames(x *Node) *Node {
	d := x.Shape().Dimensions
	return ReduceSum(Reshape(x, d[0], d[1], -1), 2)
}
