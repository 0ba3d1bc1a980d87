package models

import (
	"errors"
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/nn"
	"mcvd/models/sampler"
)

// Distillation is what a student learns from its teacher, which is the same network with the weights of
// [TeacherScope], which stay. Clips, masks and noise are those of other trainings.
type Distillation struct {
	*Model
	distillation
	steps []sampler.Two // that training draws from
}

// distillation is one kind of it.
type distillation struct {
	// list lists the steps of the teacher.
	list func(s diffusion.Schedule, c *configs.Config) ([]sampler.Two, error)
	// x0 are the clean frames that the student must predict for x at the level from. target is the
	// average of the student's own weights.
	x0 func(teacher, target sampler.Denoiser, x *Node, from, mid, end diffusion.LevelNodes) *Node
}

// consistency is the name of consistency distillation.
const consistency = "consistency"

// distillations are the values of train.distillation.
var distillations = map[string]distillation{
	// Progressive distillation (Salimans and Ho 2022, algorithm 2): the student learns to do in one step
	// of DDIM what its teacher does in two.
	"progressive": {
		list: func(s diffusion.Schedule, c *configs.Config) ([]sampler.Two, error) {
			if c.Train.TeacherSteps > 0 {
				return nil, fmt.Errorf("train.teacher_steps: %d, want 0: a teacher of progressive distillation takes twice as many steps as its student", c.Train.TeacherSteps)
			}
			return sampler.Halving(s, c.Sampler)
		},
		x0: func(teacher, _ sampler.Denoiser, x *Node, from, mid, end diffusion.LevelNodes) *Node {
			return sampler.Halved(teacher, x, from, mid, end)
		},
	},
	// Consistency distillation (Song et al. 2023, algorithm 2): the student learns to predict at each
	// level what its own average predicts one step of the teacher later, and so, where all steps end.
	consistency: {
		list: func(s diffusion.Schedule, c *configs.Config) ([]sampler.Two, error) {
			return sampler.Neighbours(s, c.Sampler, c.Train.TeacherSteps)
		},
		x0: func(teacher, target sampler.Denoiser, x *Node, from, mid, _ diffusion.LevelNodes) *Node {
			return sampler.Consistent(teacher, target, x, from, mid)
		},
	},
}

// Distillations lists the kinds of distillation.
func Distillations() []string { return configs.Names(distillations) }

// NewDistillation makes the distillation of a model into the sampler that the configuration names. It
// is an error if the sampler can't be learned so, or the model can't learn it.
func NewDistillation(m *Model, c *configs.Config) (*Distillation, error) {
	switch {
	case m.Classes() != nil:
		return nil, errors.New("train.teacher: a classifier can't be distilled; want another model.network")
	case m.Target.RawEps:
		return nil, errors.New("train.teacher: a network that predicts eps can't be distilled into few steps, " +
			"because small errors of eps are large ones of clean frames where there is much noise; want a teacher with another diffusion.target, such as v or x0")
	case m.SelfConditioned():
		return nil, errors.New("train.teacher: a self-conditioned network can't be distilled; want a teacher with model.options.self_conditioning: false")
	case m.LearnsVariance():
		return nil, errors.New("train.teacher: a network that learns variances can't be distilled, because nothing would teach the student's; " +
			"want a teacher with diffusion.variance: fixed")
	}
	kind, err := configs.Pick(distillations, "train.distillation", c.Train.Distillation)
	if err != nil {
		return nil, err
	}
	steps, err := kind.list(m.Schedule, c)
	if err != nil {
		return nil, err
	}
	return &Distillation{m, kind, steps}, nil
}

// Levels are all levels that the distillation visits, those of one step after the other.
func (d *Distillation) Levels() (all []diffusion.Level) {
	for _, s := range d.steps {
		all = append(all, s[:]...)
	}
	return all
}

// DrawLevels draws one of the steps for each clip of a batch: a table for
// [Distillation.Draw], [batch, 3, diffusion.Columns], with its three levels. Of the last one only
// signal and noise are used.
func (d *Distillation) DrawLevels(rng *rand.Rand, batch int) *tensors.Tensor {
	var levels []diffusion.Level
	for range batch {
		levels = append(levels, d.steps[rng.IntN(len(d.steps))][:]...)
	}
	return tensors.FromFlatDataAndDimensions(d.Table(levels), batch, len(sampler.Two{}), diffusion.Columns)
}

// EvenLevels is [Model.EvenLevels] for the steps.
func (d *Distillation) EvenLevels(n, total, bins int) ([]diffusion.Level, int) {
	i := n * len(d.steps) / total // of the least noisy step first
	return d.steps[len(d.steps)-1-i][:], i * bins / len(d.steps)
}

// Draw is [Model.Draw] where a step begins, with the levels where it goes on.
func (d *Distillation) Draw(random nn.Random, levels *Node) (nn.Random, Draws) {
	at := func(i int) *Node { return Slice(levels, AxisRange(), AxisRange(i, i+1)) }
	next, draws := d.Model.Draw(random, at(0))
	draws.Mid, draws.End = diffusion.TableNodes(at(1)), diffusion.TableNodes(at(2))
	return next, draws
}

// LossGraph is the loss of each clip, [batch].
func (d *Distillation) LossGraph(b *nn.Builder, scope *model.Scope, clip *Node, draws Draws) *Node {
	loss, _ := d.ErrorGraph(b, scope, clip, draws)
	return loss
}

// ErrorGraph compares the student, with the parameters under scope, with its teacher: the loss of
// each clip, and the mean squared difference of the clean frames that it predicts, kept in [-1, 1],
// from those that it must predict. Both are [batch].
func (d *Distillation) ErrorGraph(b *nn.Builder, scope *model.Scope, clip *Node, draws Draws) (loss, x0Error *Node) {
	_, xt, cond := d.given(clip, draws)
	from := draws.Level
	still := &nn.Builder{Formulation: b.Formulation, Compute: b.Compute} // without dropout
	of := func(scopeName string) sampler.Denoiser {
		return d.Denoiser(still, scope.Store().Scope("/"+scopeName), cond)
	}
	x0 := d.x0(of(TeacherScope), of(EMAScope), xt, from, draws.Mid, draws.End)
	f, _ := d.predict(b, scope, xt, from, cond, nil)
	return d.compare(f, xt, x0, diffusion.EpsFromX0(xt, x0, from.Signal, from.Noise), from)
}
