package guidance

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
)

// Noised is history guidance with noise in the past frames (Song et al. 2025, sections 5.2 and 5.3).
// Its levels are those of package mask. They need a network that is told them.
type Noised struct {
	Noise     float64 `yaml:"noise" range:"[0, 1)" doc:"The noise level of the past in the prediction that scale is about (fractional history guidance): sqrt(1 - noise^2) of the past and noise of standard normal noise. It needs a model that was trained with frames.mask.noised. 0 is vanilla history guidance."`
	Stabilize float64 `yaml:"stabilize" range:"[0, 1)" doc:"The noise level of the past of windows that are given generated frames, of which the network is told (stabilized history guidance). It needs a model that was trained with frames.mask.noised. 0 gives them as they are."`
}

// noising is a guidance that adds noise to past frames.
type noising interface{ noise() Noised }

func (n Noised) noise() Noised { return n }

// Stabilizes is the noise level of the past in windows that are given generated frames; 0 is none.
func (p *Plan) Stabilizes() float64 { return p.noised.Stabilize }

// Noises says whether the past of any branch, in any window, has noise.
func (p *Plan) Noises() bool { return p.noised != Noised{} }

// ChecksClean reports noise that a network can't be given, because it is not told of it.
func (p *Plan) ChecksClean() (problems configs.Problems) {
	const want = "0, because the model was not trained with noised past frames (frames.mask.noised, model.options.past_noise)"
	n := p.noised
	problems.Check(n.Noise == 0, optionsPath+".noise", n.Noise, want, "model.options.past_noise")
	problems.Check(n.Stabilize == 0, optionsPath+".stabilize", n.Stabilize, want, "model.options.past_noise")
	return problems
}

// PastNoise gives each branch the noise level of its past: level, [batch], becomes [batch*branches].
// A branch with noise of its own has at least its level. Nil stays nil.
func (p *Plan) PastNoise(level *Node) *Node {
	if level == nil || !slices.ContainsFunc(p.all, func(b branch) bool { return b.noise > 0 }) {
		return p.Repeat(level)
	}
	own := make([]float32, len(p.all))
	for i, b := range p.all {
		own[i] = float32(b.noise)
	}
	batch := level.Shape().Dimensions[0]
	wide := BroadcastToDims(Const(level.Graph(), tensors.FromFlatDataAndDimensions(own, 1, len(own))), batch, len(own))
	return Reshape(Max(BroadcastToDims(InsertAxes(level, 1), batch, len(own)), wide), -1)
}
