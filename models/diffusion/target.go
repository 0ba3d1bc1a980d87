package diffusion

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
)

// Target is what a network F predicts at a level. It is defined by the scalings around F, as in EDM
// (Karras et al. 2022, eq. 7):
//
//	x0 = skip x + out F(in x)
type Target struct {
	// Scale gives the scalings of a level whose Noise is above 0.
	Scale func(l Level) (in, skip, out float64)
	// RawEps says that F is eps itself. Then samplers get F as it is, and training compares it with
	// the noise that was drawn.
	RawEps bool
}

// targets are the values of diffusion.target.
var targets = map[string]Target{
	"eps": {RawEps: true, Scale: func(l Level) (in, skip, out float64) { return 1, 1 / l.Signal, -l.Noise / l.Signal }},
	"v":   {Scale: func(l Level) (in, skip, out float64) { p := l.power(); return 1, l.Signal / p, -l.Noise / p }},
	"x0":  {Scale: func(l Level) (in, skip, out float64) { return 1, 0, 1 }},
	// The velocity of flow matching, eps - x0 (Lipman et al. 2023; Liu et al. 2023).
	"flow": {Scale: func(l Level) (in, skip, out float64) {
		return 1, 1 / (l.Signal + l.Noise), -l.Noise / (l.Signal + l.Noise)
	}},
	// Inputs and outputs of variance 1 at any level (Karras et al. 2022, EDM, table 1).
	"edm": {Scale: func(l Level) (in, skip, out float64) {
		norm := math.Hypot(l.Noise, l.Signal*dataStd)
		return 1 / norm, dataStd * dataStd * l.Signal / (norm * norm), l.Noise * dataStd / norm
	}},
}

// dataStd is the standard deviation of frames that EDM assumes, for values in [-1, 1].
const dataStd = 0.5

// power is the mean square of x_t for x0 of mean square 1; 1 in variance-preserving schedules.
func (l Level) power() float64 { return l.Signal*l.Signal + l.Noise*l.Noise }

// Targets lists the targets.
func Targets() []string { return configs.Names(targets) }

// F is the ideal output of the network for clean frames and noise: the weights in F = p x0 + q eps.
// They follow from the scalings.
func (t Target) F(l Level) (p, q float64) {
	if t.RawEps {
		return 0, 1
	}
	_, skip, out := t.Scale(l)
	return (1 - skip*l.Signal) / out, -skip * l.Noise / out
}

// Prediction is what a network predicts about x_t, in the two forms that samplers use.
type Prediction struct {
	X0, Eps *Node // [batch, frames, height, width, channels]
	// Share is where the variance of each value lies between the posterior's, 0, and beta, 1: see
	// [StepVariance]. It is shaped like X0, and nil unless the network learns variances.
	Share *Node
}

// Predict turns the network's output F for x_t at a level into a [Prediction].
func (t Target) Predict(xt, f *Node, l LevelNodes) Prediction {
	if t.RawEps {
		return Prediction{X0: X0FromEps(xt, f, l.Signal, l.Noise), Eps: f}
	}
	x0 := Add(Mul(l.Skip, xt), Mul(l.Out, f))
	return Prediction{X0: x0, Eps: EpsFromX0(xt, x0, l.Signal, l.Noise)}
}

// FGraph is the ideal output of the network for clean frames x0 with that noise: [Target.F] in a
// graph.
func (t Target) FGraph(x0, eps *Node, l LevelNodes) *Node {
	if t.RawEps {
		return eps
	}
	return Add(Mul(l.OfX0, x0), Mul(l.OfEps, eps))
}
