package guidance

import (
	"errors"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/mask"
	"mcvd/models/sampler"
)

// Plan is a guidance for a model: the branches that are evaluated, and what becomes of them.
//
// All branches are evaluated at once, as a batch that has each clip once for each branch. The
// branches of a clip lie next to each other, so devices that share a batch share it as before.
type Plan struct {
	frames configs.Frames
	// all are the branches that are evaluated. A single one is the result. If there are several and
	// adjust is used, the first hides nothing.
	all    []branch
	adjust Adjust
	unit   float64 // the largest weight in the change by guidance: |scale - 1|
	known  Known   // the frames of a block that are given
	weight float64 // of [Reconstruction]
	second float64 // the weight of a second model's prediction; 0 if there is none
	led    float64 // the weight of a classifier's gradient; 0 if there is none
	noised Noised  // the noise of past frames
	// Checkpoint is that of the second model. It is "" if there is none.
	Checkpoint string
	// Classifier is the run folder of a classifier, and Classes are those of it that videos should
	// show. They are "" and nil if there is none.
	Classifier string
	Classes    []string
}

// New makes the plan of a guidance for a model of those frames.
func New(c configs.Guidance, f configs.Frames) (*Plan, error) {
	k, err := read(c)
	if err != nil {
		return nil, err
	}
	for _, problem := range k.check(f) {
		if p := (configs.Problem{}); !errors.As(problem, &p) || !p.Unused {
			return nil, problem
		}
	}
	p := &Plan{frames: f, all: sum(k.branches(f)), adjust: k.adjustment()}
	if of, ok := k.(giver); ok {
		p.known = of.known()
	}
	if of, ok := k.(reconstructing); ok {
		p.weight = of.reconstruction()
	}
	if of, ok := k.(noising); ok {
		p.noised = of.noise()
	}
	if of, ok := k.(comparing); ok {
		if p.second, p.Checkpoint = of.second(); p.second == 0 {
			p.Checkpoint = ""
		}
	}
	if of, ok := k.(leading); ok {
		if p.led, p.Classifier, p.Classes = of.leads(); p.led == 0 {
			p.Classifier, p.Classes = "", nil
		}
	}
	whole := everything(f)
	isWhole := func(b branch) bool { return b.noise == 0 && slices.Equal(b.visible, whole) }
	if len(p.all) == 1 && isWhole(p.all[0]) && p.second == 0 && p.led == 0 {
		p.adjust = plain // there is nothing to adjust
	} else if p.adjust != plain && !isWhole(p.all[0]) {
		p.all = slices.Insert(p.all, 0, branch{visible: whole})
	}
	p.unit = p.led
	for _, b := range p.all {
		change := b.weight
		if isWhole(b) {
			change--
		}
		p.unit = max(p.unit, math.Abs(change))
	}
	return p, nil
}

// sum adds up branches with the same mask and noise, and leaves out those without weight.
func sum(terms []branch) (all []branch) {
	for _, term := range terms {
		same := slices.IndexFunc(all, func(b branch) bool { return b.noise == term.noise && slices.Equal(b.visible, term.visible) })
		if same >= 0 {
			all[same].weight += term.weight
		} else {
			all = append(all, term)
		}
	}
	return slices.DeleteFunc(all, func(b branch) bool { return b.weight == 0 })
}

// Branches is how often a prediction has each clip in its batch.
func (p *Plan) Branches() int { return len(p.all) }

// Evaluations is how many network evaluations a prediction takes. A gradient with respect to the
// noisy frames takes about as long as an evaluation, and counts as one, as that of a second model
// does. So does a classifier with its gradient.
func (p *Plan) Evaluations() int {
	if p.weight > 0 || p.Compares() || p.Leads() {
		return p.Branches() + 1
	}
	return p.Branches()
}

// Compares says whether a second model is evaluated, that of [Plan.Checkpoint].
func (p *Plan) Compares() bool { return p.second != 0 }

// Leads says whether a classifier leads videos, that of [Plan.Classifier].
func (p *Plan) Leads() bool { return p.led != 0 }

// Memory is the number of tensors shaped like the noisy frames that go from one prediction to the
// next: see [sampler.NewLoop].
func (p *Plan) Memory() int {
	if p.adjust.Momentum != 0 {
		return 1
	}
	return 0
}

// Repeat gives each branch its conditioning frames: x, [batch, ...], becomes [batch*branches, ...]
// with each clip once for each branch. Nil stays nil.
func (p *Plan) Repeat(x *Node) *Node {
	if x == nil || len(p.all) == 1 {
		return x
	}
	d := x.Shape().Dimensions
	wide := slices.Concat([]int{d[0], len(p.all)}, d[1:])
	folded := slices.Concat([]int{d[0] * len(p.all)}, d[1:])
	return Reshape(BroadcastToDims(InsertAxes(x, 1), wide...), folded...)
}

// Hide gives each branch its mask: visible, [batch, past+future], becomes [batch*branches,
// past+future], with 0 where it was 0 or the branch hides the frame. Nil stays nil.
func (p *Plan) Hide(visible *Node) *Node {
	if visible == nil {
		return nil
	}
	d := visible.Shape().Dimensions
	var masks []float32 // [branches, past+future]
	for _, b := range p.all {
		for _, sees := range b.visible {
			if sees {
				masks = append(masks, 1)
			} else {
				masks = append(masks, 0)
			}
		}
	}
	if !slices.Contains(masks, 0) {
		return visible
	}
	mask := Const(visible.Graph(), tensors.FromFlatDataAndDimensions(masks, 1, len(p.all), d[1]))
	return Reshape(Mul(InsertAxes(visible, 1), mask), d[0]*len(p.all), d[1])
}

// Others are the networks beside the model's that a guidance evaluates, nil if there are none.
// Their frames are not repeated.
type Others struct {
	Second sampler.Denoiser // of the second model
	Class  LogProb          // of what a classifier should find
}

// Guide wraps a denoiser whose conditioning frames and masks went through [Plan.Repeat] and
// [Plan.Hide]. It has one for a batch of clips. known is what is known of their blocks. memory is
// as [Plan.Memory] says; each prediction replaces it.
//
// Learned variances are not guided: those of the branch that sees most are the result's.
//
// The levels are scalars, as in samplers.
func (p *Plan) Guide(denoise sampler.Denoiser, others Others, known Block, memory []*Node) sampler.Denoiser {
	switch {
	case p.weight > 0:
		return known.reconstructed(denoise, p.weight)
	case p.Leads():
		return p.classified(denoise, others.Class, memory)
	case len(p.all) == 1 && !p.Compares():
		return denoise
	}
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		made := denoise(p.Repeat(x), at)
		x0, eps := p.apart(made.X0), p.apart(made.Eps)
		if p.Compares() {
			other := others.Second(x, at)
			x0, eps = append(x0, other.X0), append(eps, other.Eps)
		}
		guided := diffusion.Prediction{X0: p.add(x0), Eps: p.add(eps)}
		if p.adjust != plain {
			guided = p.adjusted(x, at, diffusion.Prediction{X0: x0[0], Eps: eps[0]}, guided, memory)
		}
		if made.Share != nil {
			guided.Share = p.apart(made.Share)[p.widest()]
		}
		return guided
	}
}

// widest is the branch that sees most of the conditioning frames.
func (p *Plan) widest() (best int) {
	seen := func(b branch) (n int) {
		for _, sees := range b.visible {
			if sees {
				n++
			}
		}
		return n
	}
	for i, b := range p.all {
		if seen(b) > seen(p.all[best]) {
			best = i
		}
	}
	return best
}

// adjusted is what becomes of a sum of branches. full is the branch that hides nothing.
func (p *Plan) adjusted(x *Node, at diffusion.LevelNodes, full, guided diffusion.Prediction, memory []*Node) diffusion.Prediction {
	a, inside := p.adjust, p.adjust.inside(at.Signal, at.Noise)
	if a.apg() {
		var average *Node
		if len(memory) > 0 {
			average = memory[0]
		}
		x0, next := a.project(full.X0, guided.X0, average, p.unit)
		guided.X0 = x0
		if len(memory) > 0 {
			memory[0] = Where(inside, next, average)
		}
	}
	if a.Rescale > 0 {
		guided.X0 = a.rescale(full.X0, guided.X0)
	}
	if a.apg() || a.Rescale > 0 {
		guided.Eps = diffusion.EpsFromX0(x, guided.X0, at.Signal, at.Noise)
	}
	return diffusion.Prediction{X0: Where(inside, guided.X0, full.X0), Eps: Where(inside, guided.Eps, full.Eps)}
}

// apart takes the branches of a batch apart, [batch, frames, height, width, channels] each.
func (p *Plan) apart(x *Node) []*Node {
	d := x.Shape().Dimensions
	one := slices.Concat([]int{d[0] / len(p.all)}, d[1:])
	wide := Reshape(x, slices.Concat([]int{one[0], len(p.all)}, d[1:])...)
	parts := make([]*Node, len(p.all))
	for i := range parts {
		parts[i] = Reshape(Slice(wide, AxisRange(), AxisElem(i)), one...)
	}
	return parts
}

// add is the weighted sum of branches, and of the second model's prediction after them.
func (p *Plan) add(parts []*Node) *Node {
	total := MulScalar(parts[0], p.all[0].weight)
	for i, part := range parts[1:] {
		weight := p.second
		if 1+i < len(p.all) {
			weight = p.all[1+i].weight
		}
		total = Add(total, MulScalar(part, weight))
	}
	return total
}

// Learned says whether training hid frames as the branches do, where the past, or the future, or
// neither is visible: see [mask.Seen].
func (p *Plan) Learned(past, future bool) bool {
	return !slices.ContainsFunc(p.all, func(b branch) bool { return !mask.Seen(p.seen(b, past, future), p.frames) })
}

// Acts says whether guidance changes anything where the past, or the future, or neither is visible:
// whether the branches then see other frames than the network would without guidance, generated frames
// get noise, frames of the block are known, or there is a second model or a classifier. (Beside a
// branch with noise, another one always sees less of the past.)
func (p *Plan) Acts(past, future bool) bool {
	if p.Compares() || p.Leads() || past && (p.known.Past > 0 || p.noised.Stabilize > 0) || future && p.known.Future > 0 {
		return true
	}
	whole := p.seen(branch{visible: everything(p.frames)}, past, future)
	return slices.ContainsFunc(p.all, func(b branch) bool { return !slices.Equal(p.seen(b, past, future), whole) })
}

// Reaches says whether any of the levels at which the network is evaluated is in the guidance's
// interval.
func (p *Plan) Reaches(levels []diffusion.Level) bool {
	return slices.ContainsFunc(levels, p.adjust.covers)
}

// seen is what a branch sees where the past, or the future, or neither is visible.
func (p *Plan) seen(b branch, past, future bool) []bool {
	visible := slices.Clone(b.visible)
	for i := range visible {
		visible[i] = visible[i] && (i < p.frames.Past && past || i >= p.frames.Past && future)
	}
	return visible
}
