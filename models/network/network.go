// Package network has the networks that predict the noise, and their table.
package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/mask"
	"mcvd/models/nn"
)

// Input is what a network sees of a batch of clips.
type Input struct {
	// X is the noisy current frames, [batch, current, height, width, channels].
	X *Node
	// Label is the timestep as the network was trained on it, [batch] float32: see diffusion.Schedule.Label.
	Label *Node
	// Past and Future are the conditioning frames, [batch, frames, height, width, channels], zeros where hidden, nil where
	// the experiment has none.
	Past, Future *Node
	// Visible says which of them are.
	Visible mask.Nodes
}

// Network predicts from noisy frames what the diffusion's target names.
type Network interface {
	// Graph builds the network, with its parameters under scope; the result is shaped like in.X.
	Graph(b *nn.Builder, scope *model.Scope, in Input) *Node
}

// networks are the values of model.network.
var networks = map[string]func(*configs.Config) (Network, error){
	"unet": newUNet,
}

// New returns the network that the configuration names.
func New(c *configs.Config) (Network, error) {
	build, err := configs.Pick(networks, "model.network", c.Model.Network)
	if err != nil {
		return nil, err
	}
	return build(c)
}

// Names lists the networks.
func Names() []string { return configs.Names(networks) }

// frames is how many frames x has; nil has none.
func frames(x *Node) int {
	if x == nil {
		return 0
	}
	return x.Shape().Dimensions[1]
}

// fold stacks the frames of x [batch, frames, height, width, channels] as channels, frame by frame.
func fold(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(TransposeAllAxes(x, 0, 2, 3, 1, 4), d[0], d[2], d[3], d[1]*d[4])
}

// unfold undoes fold.
func unfold(x *Node, frames int) *Node {
	d := x.Shape().Dimensions
	return TransposeAllAxes(Reshape(x, d[0], d[1], d[2], frames, d[3]/frames), 0, 3, 1, 2, 4)
}
