package network

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/nn"
)

// MLP is a network of dense layers, for frames of a few pixels. It sees all values of all frames,
// and which conditioning frames are visible, as one vector. Each hidden layer adds an embedding of
// the noise level, and of the frames' times if it is told them. Its fields are its options.
type MLP struct {
	Width  int  `yaml:"width" range:"[4, 4096]" doc:"The number of values in a hidden layer, and in the embedding of the noise level."`
	Layers int  `yaml:"layers" range:"[1, 64]" doc:"The number of hidden layers."`
	Times  bool `yaml:"frame_times" doc:"Whether the network is told the time of each frame, in frames of the video. Then frames.times may draw times at random."`
}

// DefaultMLP is what missing options mean.
func DefaultMLP() MLP { return MLP{Width: 128, Layers: 3} }

func (m MLP) read(c *configs.Config) (Network, error) {
	err := c.Model.Options.Decode(optionsPath, &m)
	return m, err
}

// Caches is false: everything depends on the noisy frames.
func (MLP) Caches() bool { return false }

// ToldTimes says whether Graph uses Input.Times.
func (m MLP) ToldTimes() bool { return m.Times }

// Graph builds the network: h = SiLU(W h + U embedding) in each hidden layer.
func (m MLP) Graph(b *nn.Builder, scope *model.Scope, in Input) *Node {
	d := in.X.Shape().Dimensions
	var parts []*Node
	for _, x := range []*Node{in.X, in.Past, in.Future, in.Visible} {
		if x != nil && x.Shape().Size() > 0 {
			parts = append(parts, Reshape(x, d[0], -1))
		}
	}
	h, level := b.Image(Concatenate(parts, 1)), nn.TimeEmbedding(in.Label, m.Width)
	if m.Times {
		level = Concatenate([]*Node{level, besides(in.Times, m.Width)}, 1)
	}
	for i := range m.Layers {
		name := fmt.Sprintf("hidden%d", i)
		layer := scope.At("%s", name)
		time := b.Dense(layer.At("time"), level, m.Width, 1)
		h = b.Layer(name, b.SiLU(Add(b.Dense(layer, h, m.Width, 1), ConvertDType(time, h.DType()))))
	}
	out := b.Dense(scope.At("out"), h, d[1]*d[2]*d[3]*in.outputs(), 0)
	return b.Layer("out", ConvertDType(Reshape(out, d[0], d[1], d[2], d[3], in.outputs()), in.X.DType()))
}
