package models

import (
	"errors"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/nn"
	"mcvd/models/sampler"
)

// Distillation is what a student of progressive distillation learns (Salimans and Ho 2022, algorithm
// 2): to do in one step of DDIM what its teacher does in two. The teacher is the same network with the
// weights of [TeacherScope], which stay. Clips, masks and noise are those of other trainings.
type Distillation struct {
	*Model
	steps []sampler.Two // one for each step of the student
}

// NewDistillation makes the distillation of a model into the sampler that the configuration names. It
// is an error if the sampler can't be learned so, or the model can't learn it.
func NewDistillation(m *Model, c *configs.Config) (*Distillation, error) {
	switch {
	case m.Target.RawEps:
		return nil, errors.New("train.teacher: a network that predicts eps can't be distilled into few steps, " +
			"because small errors of eps are large ones of clean frames where there is much noise; want a teacher with another diffusion.target, such as v or x0")
	case m.SelfConditioned():
		return nil, errors.New("train.teacher: a self-conditioned network can't be distilled; want a teacher with model.options.self_conditioning: false")
	case m.LearnsVariance():
		return nil, errors.New("train.teacher: a network that learns variances can't be distilled, because nothing would teach the student's; " +
			"want a teacher with diffusion.variance: fixed")
	}
	steps, err := sampler.Halving(m.Schedule, c.Sampler)
	if err != nil {
		return nil, err
	}
	return &Distillation{m, steps}, nil
}

// Levels are all levels that the distillation visits, those of one step after the other.
func (d *Distillation) Levels() (all []diffusion.Level) {
	for _, s := range d.steps {
		all = append(all, s[:]...)
	}
	return all
}

// DrawLevels draws one of the student's steps for each clip of a batch: a table for
// [Distillation.Draw], [batch, 3, diffusion.Columns], with the three levels of the step. Of the last
// one only signal and noise are used.
func (d *Distillation) DrawLevels(rng *rand.Rand, batch int) *tensors.Tensor {
	var levels []diffusion.Level
	for range batch {
		levels = append(levels, d.steps[rng.IntN(len(d.steps))][:]...)
	}
	return tensors.FromFlatDataAndDimensions(d.Table(levels), batch, len(sampler.Two{}), diffusion.Columns)
}

// EvenLevels is [Model.EvenLevels] for the student's steps.
func (d *Distillation) EvenLevels(n, total, bins int) ([]diffusion.Level, int) {
	i := n * len(d.steps) / total // of the least noisy step first
	return d.steps[len(d.steps)-1-i][:], i * bins / len(d.steps)
}

// Draw is [Model.Draw] where a step begins, with the levels where it goes on.
func (d *Distillation) Draw(random, levels *Node) (*Node, Draws) {
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
// from those that end its step where two of the teacher's end. Both are [batch].
func (d *Distillation) ErrorGraph(b *nn.Builder, scope *model.Scope, clip *Node, draws Draws) (loss, x0Error *Node) {
	_, xt, cond := d.given(clip, draws)
	from := draws.Level
	still := &nn.Builder{Formulation: b.Formulation, Compute: b.Compute} // without dropout
	teacher := d.Denoiser(still, scope.Store().Scope("/"+TeacherScope), cond)
	x0 := sampler.Halved(teacher, xt, from, draws.Mid, draws.End)
	f, _ := d.predict(b, scope, xt, from, cond, nil)
	return d.compare(f, xt, x0, diffusion.EpsFromX0(xt, x0, from.Signal, from.Noise), from)
}
