package guidance

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// LogProb is log p(y | x_t) of what videos should show, for each clip, [batch]. x is x_t, [batch,
// frames, height, width, channels], and the numbers of its level are scalars. A clip's value
// depends on no other clip.
type LogProb func(x *Node, at diffusion.LevelNodes) *Node

// Classifier leads videos to classes by the gradient of a classifier of noisy frames (Dhariwal and
// Nichol 2021, Diffusion Models Beat GANs on Image Synthesis, algorithm 2 and section 4.1):
//
//	eps = eps(x_t) - class_weight noise grad log p(y | x_t)
//
// and, which is the same, x0 = D + class_weight noise^2/signal grad log p(y | x_t). class_weight is
// s of the paper. 0 is the network as it is, and 1 samples p(x | y) if network and classifier are
// exact. A level without any signal stays as it is.
type Classifier struct {
	Run     string   `yaml:"classifier" doc:"The run folder of a classifier (model.network: classifier) of blocks like those of this run. The averaged weights of its newest checkpoint are used."`
	Classes []string `yaml:"classes" doc:"What videos should show, by the names of the classifier's classes: all of these."`
	Weight  float64  `yaml:"class_weight" range:"[0, 1000]" doc:"How strongly videos are led to the classes: 0 is no guidance, and reads no classifier; 1 weights classes by their probability; more exaggerates them."`
	Adjust  `yaml:",inline"`
}

func (g Classifier) branches(f configs.Frames) []branch { return none{}.branches(f) }

// leads is the weight of the classes, the classifier's run and the classes.
func (g Classifier) leads() (weight float64, run string, classes []string) {
	return g.Weight, g.Run, g.Classes
}

// check reports a class that is named twice. Whoever reads the classifier knows which there are.
func (g Classifier) check(configs.Frames) (p configs.Problems) {
	for i, name := range g.Classes {
		p.Check(!slices.Contains(g.Classes[:i], name), fmt.Sprintf("%s.classes[%d]", optionsPath, i), name, "each class once")
	}
	return append(p, g.Adjust.check()...)
}

// classified is a denoiser with the formula of [Classifier].
func (p *Plan) classified(denoise sampler.Denoiser, logProb LogProb, memory []*Node) sampler.Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		made := denoise(x, at)
		change := MulScalar(Mul(at.Noise, Gradient(ReduceAllSum(logProb(x, at)), x)[0]), p.led)
		signals := GreaterThan(at.Signal, ZerosLike(at.Signal))
		ratio := Div(at.Noise, Where(signals, at.Signal, OnesLike(at.Signal)))
		signals = BroadcastToDims(signals, x.Shape().Dimensions...)
		guided := diffusion.Prediction{
			X0:  Where(signals, Add(made.X0, Mul(ratio, change)), made.X0),
			Eps: Where(signals, Sub(made.Eps, change), made.Eps),
		}
		if p.adjust != plain {
			guided = p.adjusted(x, at, made, guided, memory)
		}
		guided.Share = made.Share
		return guided
	}
}
