// Package network has the networks that denoise or classify frames, and their table.
package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/nn"
)

// Input is what a network sees of a batch of clips.
type Input struct {
	// X is the noisy current frames, [batch, current, height, width, channels].
	X *Node
	// Label is the number by which the network is told the noise level, float32: [batch], or [batch,
	// current] for a network that is [LevelPerFrame].
	Label *Node
	// Past and Future are the conditioning frames, [batch, frames, height, width, channels], zeros
	// where hidden, nil where the experiment has none.
	Past, Future *Node
	// Before is the clean frames that the network predicted before, shaped like X, zeros where it has
	// predicted none. It is nil unless the network is [SelfConditioned].
	Before *Node
	// Times are the times of all frames, past, current, future, in frames of the video from the first
	// current frame on, [batch, past+current+future] float32; those of hidden frames are 0. It is nil
	// unless the network is [ToldTimes].
	Times *Node
	// PastNoise is the noise level of the past frames, [batch] float32 in [0, 1]: see package mask. It is
	// nil unless the network is [ToldPastNoise].
	PastNoise *Node
	// Variance says whether the network gives a second number for each value of X, from which its
	// variance follows.
	Variance bool
	// Visible says which of the conditioning frames are visible, [batch, past+future]: see package
	// mask. It is nil if there are none.
	Visible *Node
	// Cache, if not nil, holds what the network computes from past and future alone, or is to be
	// filled with it.
	Cache *Cache
}

// Network predicts the diffusion's target from noisy frames, or classifies them: see [Classes].
type Network interface {
	// Graph builds the network, with its parameters under scope; the result is shaped like in.X,
	// unless it is a classifier. With in.Variance it has twice as many channels: first those of the
	// target, then those of the variances.
	Graph(b *nn.Builder, scope *model.Scope, in Input) *Node
	// Caches says whether Graph uses Input.Cache: whether it computes something from the
	// conditioning frames alone, which the steps of a window can share.
	Caches() bool
}

// outputs is how many channels the network gives for each frame.
func (in Input) outputs() int {
	channels := in.X.Shape().Dimensions[4]
	if in.Variance {
		return 2 * channels
	}
	return channels
}

// SelfConditioned says whether a network sees the clean frames that it predicted before (Chen et al.
// 2023, Analog bits, section 3.2). Such a network has a method of this name.
func SelfConditioned(n Network) bool {
	self, ok := n.(interface{ SelfConditioned() bool })
	return ok && self.SelfConditioned()
}

// LevelPerFrame says whether a network is told a noise level for each frame (Chen et al. 2024,
// Diffusion Forcing, section 3.2), and not one for the clip. Such a network has a method of this name.
func LevelPerFrame(n Network) bool {
	each, ok := n.(interface{ LevelPerFrame() bool })
	return ok && each.LevelPerFrame()
}

// ToldTimes says whether a network is told the time of each frame (Harvey et al. 2022, Flexible
// Diffusion Modeling of Long Videos). Such a network has a method of this name.
func ToldTimes(n Network) bool {
	told, ok := n.(interface{ ToldTimes() bool })
	return ok && told.ToldTimes()
}

// ToldPastNoise says whether a network is told how much noise the past frames have (Ho et al. 2022,
// Cascaded Diffusion Models, section 4). Such a network has a method of this name.
func ToldPastNoise(n Network) bool {
	told, ok := n.(interface{ ToldPastNoise() bool })
	return ok && told.ToldPastNoise()
}

// Where networks, and the ways of conditioning of those that have some, are chosen, and where their
// options stand.
const (
	networkPath      = "model.network"
	conditioningPath = "model.options.conditioning"
	optionsPath      = "model.options"
)

// networks are the values of model.network, each with the defaults of its options.
var networks = map[string]variant{
	"classifier": DefaultClassifier(),
	"mlp":        DefaultMLP(),
	"unet":       DefaultUNet(),
}

// variant is a network whose options are to be read.
type variant interface {
	// read returns the network with its options.
	read(c *configs.Config) (Network, error)
}

// New returns the network that the configuration names, with its options.
func New(c *configs.Config) (Network, error) {
	v, err := configs.Pick(networks, networkPath, c.Model.Network)
	if err != nil {
		return nil, err
	}
	return v.read(c)
}

// Unused reports options of a network that have no effect beside its other options.
func Unused(n Network, c *configs.Config) error {
	if n, ok := n.(interface {
		unused(*configs.Config) configs.Problems
	}); ok {
		return n.unused(c).Err()
	}
	return nil
}

// Tables are the tables of this package with their options.
func Tables() []configs.Table {
	all := configs.TableOf(networkPath, optionsPath, networks)
	all.Ignores = map[string]configs.Ignored{"classifier": notOfClassifiers}
	return []configs.Table{
		all,
		configs.TableOf(conditioningPath, optionsPath, conditionings),
	}
}

// Names lists the networks.
func Names() []string { return configs.Names(networks) }

// fold stacks the frames of x [batch, frames, height, width, channels] as channels, frame by frame.
func fold(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(TransposeAllAxes(x, 0, 2, 3, 1, 4), d[0], d[2], d[3], d[1]*d[4])
}

// foldAll folds blocks of frames and stacks them; those that are nil or have no frames are left
// out. It is nil if all are.
func foldAll(blocks ...*Node) *Node {
	var parts []*Node
	for _, x := range blocks {
		if x != nil && x.Shape().Dimensions[1] > 0 {
			parts = append(parts, fold(x))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return Concatenate(parts, -1)
}

// unfold undoes fold.
func unfold(x *Node, frames int) *Node {
	d := x.Shape().Dimensions
	return TransposeAllAxes(Reshape(x, d[0], d[1], d[2], frames, d[3]/frames), 0, 3, 1, 2, 4)
}
