package guidance

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// Adjust says at which noise levels a guidance is used, and what becomes of its sum. All of it is
// about x0, a clip at a time: norms, projections and standard deviations are over all values of the
// current frames, [frames, height, width, channels].
type Adjust struct {
	SigmaMin float64 `yaml:"sigma_min" range:"[0, 1e6]" doc:"Guidance is used at noise levels with sigma = noise/signal from this on (Kynkäänniemi et al. 2024). 0 is no bound."`
	SigmaMax float64 `yaml:"sigma_max" range:"[0, 1e6]" doc:"Guidance is used at noise levels with sigma up to this. 0 is no bound."`
	Rescale  float64 `yaml:"rescale" range:"[0, 1]" doc:"How far the standard deviation of a clip is brought back to that without guidance, from 0, not at all, to 1, entirely (Lin et al. 2023, eqs. 15 and 16)."`
	Momentum float64 `yaml:"momentum" range:"(-1, 1)" doc:"How much of the change by guidance is kept for the next evaluation (Sadat et al. 2024, APG); below 0 it is subtracted there."`
	Norm     float64 `yaml:"norm" range:"[0, 1e6]" doc:"The largest Euclidean norm of the change of a clip, for a scale of 2 (APG). 0 is no bound."`
	Parallel float64 `yaml:"parallel" range:"[0, 1]" doc:"How much is kept of that part of the change which only makes x0 larger or smaller (APG): 1 for all, 0 for none."`
}

// plain changes nothing.
var plain = Adjust{Parallel: 1}

func (a Adjust) adjustment() Adjust { return a }

// apg is whether a has options of APG.
func (a Adjust) apg() bool { return a.Momentum != 0 || a.Norm != 0 || a.Parallel != 1 }

func (a Adjust) check() (p configs.Problems) {
	p.Check(a.SigmaMax == 0 || a.SigmaMax > a.SigmaMin, optionsPath+".sigma_max", a.SigmaMax, "more than sigma_min, or 0", optionsPath+".sigma_min")
	return p
}

// inside is whether guidance is used at a level, a scalar. A level without signal has no finite
// sigma, and is above all bounds.
func (a Adjust) inside(signal, noise *Node) *Node {
	inside := GreaterOrEqual(noise, MulScalar(signal, a.SigmaMin))
	if a.SigmaMax > 0 {
		inside = LogicalAnd(inside, LessOrEqual(noise, MulScalar(signal, a.SigmaMax)))
	}
	return inside
}

// covers is [Adjust.inside] for a level on the host.
func (a Adjust) covers(l diffusion.Level) bool {
	return l.Noise >= l.Signal*a.SigmaMin && (a.SigmaMax == 0 || l.Noise <= l.Signal*a.SigmaMax)
}

// project is adaptive projected guidance (Sadat et al. 2024, algorithm 1). full and guided are x0
// without and with guidance; unit is what the change is divided by to be that of a scale of 2.
// average is the running average of changes, which is returned for the next evaluation.
func (a Adjust) project(full, guided, average *Node, unit float64) (x0, next *Node) {
	change := DivScalar(Sub(guided, full), unit)
	if a.Momentum != 0 {
		change = Add(change, MulScalar(average, a.Momentum))
		next = change
	}
	if a.Norm > 0 {
		norm := Sqrt(dot(change, change))
		change = Mul(change, Div(Scalar(norm.Graph(), norm.DType(), a.Norm), MaxScalar(norm, a.Norm)))
	}
	along := Mul(full, Div(dot(change, full), MaxScalar(dot(full, full), tiny)))
	change = Add(Sub(change, along), MulScalar(along, a.Parallel))
	return Add(full, MulScalar(change, unit)), next
}

// tiny keeps quotients finite where frames are grey everywhere.
const tiny = 1e-12

// rescale brings the standard deviation of guided back to that of full (Lin et al. 2023, eqs. 15
// and 16).
func (a Adjust) rescale(full, guided *Node) *Node {
	whole := Mul(guided, Div(deviation(full), MaxScalar(deviation(guided), tiny)))
	return Add(MulScalar(whole, a.Rescale), MulScalar(guided, 1-a.Rescale))
}

// dot is the scalar product of clips, [batch, 1, 1, 1, 1].
func dot(a, b *Node) *Node { return ReduceAndKeep(Mul(a, b), ReduceSum, 1, 2, 3, 4) }

// deviation is the standard deviation of clips, [batch, 1, 1, 1, 1].
func deviation(x *Node) *Node {
	centred := Sub(x, ReduceAndKeep(x, ReduceMean, 1, 2, 3, 4))
	return Sqrt(ReduceAndKeep(Square(centred), ReduceMean, 1, 2, 3, 4))
}
