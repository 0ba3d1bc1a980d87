package network

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/nn"
)

// Classifier tells what noisy frames show (Dhariwal and Nichol 2021, section 4): it is the way down
// of a [UNet] and its middle, and a linear layer of all pixels that are left. (The paper pools
// these by attention.) It sees the block and its noise level, and no conditioning frames.
//
// Its result is a logit for each class. Classes are independent of each other, because a clip may
// show several: the logistic function of a logit is the probability that the clip shows the class.
type Classifier struct {
	Names        []string `yaml:"classes" doc:"The classes to tell apart, by the names that the data set has for them: mcvd data help and docs/data.md. A clip may show several of them, or none."`
	Width        int      `yaml:"width" range:"[4, 4096]" doc:"The number of channels at full resolution."`
	Multipliers  []int    `yaml:"multipliers" range:"[1, 64]" doc:"One factor for each level: its channels are width times this. Each level but the first halves the size."`
	Blocks       int      `yaml:"blocks" range:"[1, 64]" doc:"The number of residual blocks in a level."`
	Attention    []int    `yaml:"attention" range:"[1, 4096]" doc:"The sizes in pixels, of the shorter side, at which levels have attention; the middle always has it."`
	HeadChannels int      `yaml:"head_channels" range:"[1, 4096]" doc:"The number of channels of an attention head. Layers with fewer channels have one head."`
	Dropout      float64  `yaml:"dropout" range:"[0, 1)" doc:"The probability that training sets a value inside a residual block to 0."`
}

// DefaultClassifier is the network that missing options mean.
func DefaultClassifier() Classifier {
	return Classifier{Width: 32, Multipliers: []int{1, 2, 4}, Blocks: 1, HeadChannels: 64}
}

// notOfClassifiers are settings without effect on a classifier, which generates no videos.
var notOfClassifiers = configs.Ignored{Reason: networkPath + " is classifier", Paths: []string{"train.teacher", "train.sample_every", "train.scores.every",
	"train.scores.metrics", "train.scores.clips", "train.scores.frames"}}

// Classes are what a network tells apart, nil unless it is a classifier. Such a network has a
// method of this name. Its result is [batch, classes].
func Classes(n Network) []string {
	if n, ok := n.(interface{ Classes() []string }); ok {
		return n.Classes()
	}
	return nil
}

func (c Classifier) read(config *configs.Config) (Network, error) {
	if err := config.Model.Options.Decode(optionsPath, &c); err != nil {
		return nil, err
	}
	return c, c.check(config).Err()
}

// check reports options that are wrong for the frames and the data, or together.
func (c Classifier) check(config *configs.Config) configs.Problems {
	p := c.trunk().check(config)
	p.Check(len(c.Names) > 0, optionsPath+".classes", c.Names, "names of what the data set's videos show")
	for i, name := range c.Names {
		p.Check(name != "" && !slices.Contains(c.Names[:i], name), fmt.Sprintf("%s.classes[%d]", optionsPath, i), name, "a name, each once")
	}
	f, d := config.Frames, config.Diffusion
	p.Check(d.Loss == "l2", "diffusion.loss", d.Loss, "l2, the default, because a classifier has a loss of its own", networkPath)
	p.Check(d.Variance != "learned", "diffusion.variance", d.Variance, "fixed, because a classifier predicts no frames", networkPath)
	p.Check(f.Past == 0, "frames.past", f.Past, "0, because a classifier sees the block alone", networkPath)
	p.Check(f.Future == 0, "frames.future", f.Future, "0, because a classifier sees the block alone", networkPath)
	return p
}

func (c Classifier) unused(config *configs.Config) configs.Problems { return c.trunk().unused(config) }

// trunk is the U-Net whose way down this is.
func (c Classifier) trunk() *UNet {
	return &UNet{Width: c.Width, Multipliers: c.Multipliers, Blocks: c.Blocks, Attention: c.Attention, HeadChannels: c.HeadChannels,
		Dropout: c.Dropout, Conditioning: "concat", conditioning: concat{}}
}

// Classes are the names of the classes, in the order of the logits.
func (c Classifier) Classes() []string { return c.Names }

// Caches is false: there are no conditioning frames.
func (Classifier) Caches() bool { return false }

// Graph builds the network. The result is logits, [batch, classes].
func (c Classifier) Graph(b *nn.Builder, scope *model.Scope, in Input) *Node {
	n := &unetGraph{UNet: c.trunk(), b: b, scope: scope, in: in}
	n.embed()
	h, _ := n.down(n.conv("in", b.Image(fold(in.X)), c.Width, 1))
	h = n.middle(h)
	h = b.Layer("norm", n.conditioning.norm(n, scope.At("norm"), h, nil, nil))
	h = Reshape(h, h.Shape().Dimensions[0], -1)
	return b.Layer("out", ConvertDType(b.Dense(scope.At("out"), h, len(c.Names), 0), in.X.DType()))
}
