package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/nn"
	"mcvd/train/optimizer"
)

// stepper updates the weights with two programs: one computes gradients, one applies them. So the
// host sees the loss and the norm before anything is changed. A batch whose gradients are not
// finite leaves no trace, and the gradients of several batches can be added up. The host computes
// the scalars of the update in float64.
type stepper struct {
	devices   *devices.Devices
	config    *configs.Config
	part      part             // of each batch
	gradients *devices.Program // of one batch, added to those given
	apply     *devices.Program
	prepare   func() // compiles apply, beside what is computed
	update    *optimizer.Update
	values    float64 // by which the log divides the loss
}

// result is what a step reports.
type result struct {
	Loss         float64 // divided by the number of values of the current frames, averaged over the batch
	GradientNorm float64 // of all gradients together, before clipping
	LearningRate float64
	Skipped      bool // the loss or the gradients were not finite, so nothing was changed
	// Losses are those of the clips of each batch, if levels are drawn by them.
	Losses [][]float32
	// Replaced is how many clips of its batches stood for others that can't be read.
	Replaced int
}

// objective is what steps minimize: a [models.Model], a [models.Distillation], a
// [models.Classifier], or in tests one with given draws.
type objective interface {
	ClipShape(batch, frames int) shapes.Shape
	Values() int
	Table(levels []diffusion.Level) []float32
	DrawLevels(rng *rand.Rand, batch int) *tensors.Tensor
	EvenLevels(n, total, bins int) (levels []diffusion.Level, bin int)
	Draw(random nn.Random, levels *Node) (next nn.Random, d models.Draws)
	LossGraph(b *nn.Builder, scope *model.Scope, clip *Node, d models.Draws) *Node
	ErrorGraph(b *nn.Builder, scope *model.Scope, clip *Node, d models.Draws) (loss, x0Error *Node)
}

// part is the clips of each batch that a process has: size of them, from number from on, of batch clips.
type part struct{ from, size, batch int }

// all is the part of a process that has whole batches.
func all(c *configs.Config) part { return part{0, c.Train.Batch, c.Train.Batch} }

func newStepper(backend compute.Backend, store *model.Store, m objective, c *configs.Config, of part) (*stepper, error) {
	precision, err := nn.Precision(backend, c.Train.Precision)
	if err != nil {
		return nil, fmt.Errorf("train.%w", err)
	}
	d, err := devices.Open(backend, c.Train.Devices, of.size)
	if err != nil {
		return nil, fmt.Errorf("train.devices: %w", err)
	}
	u, err := optimizer.New(c)
	if err != nil {
		return nil, err
	}
	s := &stepper{devices: d, config: c, part: of, update: u, values: float64(m.Values())}
	gradients, err := model.NewExec(backend, store, func(scope *model.Scope, in []*Node) []*Node {
		return gradientsGraph(m, precision, c, of, scope, in)
	})
	if err != nil {
		return nil, fmt.Errorf("training step: %w", err)
	}
	apply, err := model.NewExec(backend, store, func(scope *model.Scope, in []*Node) []*Node {
		return u.Graph(scope, in)
	})
	if err != nil {
		return nil, fmt.Errorf("training step: %w", err)
	}
	inputs := []devices.Place{devices.Parts, devices.Copies, devices.Parts, devices.Copies}
	if c.Frames.Times.Drawn() {
		inputs = slices.Insert(inputs, 3, devices.Parts)
	}
	s.gradients, err = d.Program(gradients.WithName("gradients"), devices.Copies, inputs...)
	if err == nil {
		s.apply, err = d.Program(apply.WithName("update"), devices.Copies, devices.Copies)
	}
	if err != nil {
		return nil, fmt.Errorf("training step: %w", err)
	}
	s.prepare = sync.OnceFunc(func() { s.apply.Prepare(u.Inputs(store.RootScope())...) })
	return s, nil
}

// gradientsGraph builds the loss of a batch, or of a part of it, the norm of its gradients, and the gradients. They are
// of the mean over the batch, divided by the number of batches of a step. Inputs: clips (bytes, or
// numbers in [-1, 1]), a random state, a table of noise levels, and the times of frames if clips
// differ in them. If the step had batches before, their loss and gradients follow, and the new ones
// are added to them. If levels are drawn by losses, those of the clips of this batch are the last
// result, [batch].
func gradientsGraph(m objective, precision dtypes.DType, c *configs.Config, of part, scope *model.Scope, in []*Node) []*Node {
	clip, random, levels, before := numbers(in[0]), in[1], in[2], in[3:]
	var times *Node
	if c.Frames.Times.Drawn() {
		times, before = before[0], before[1:]
	}
	scope.Store().SetTraining(clip.Graph(), true) // else the Go backend makes constants of the weights
	weights := scope.At(models.WeightsScope)
	next, draws := m.Draw(nn.Random{State: random, From: of.from, Batch: of.batch}, levels)
	draws.Times = times
	b := nn.NewBuilder(clip.Graph().Backend())
	b.Random, b.Compute, b.Checkpointing = next, precision, c.Train.GradientCheckpointing
	losses := m.LossGraph(b, weights, clip, draws)
	loss := DivScalar(ReduceAllMean(losses), float64(c.Train.Accumulate))
	gradients := weights.BuildTrainableVariablesGradientsGraph(loss)
	if len(before) > 0 {
		loss = Add(loss, before[0])
		for i := range gradients {
			gradients[i] = Add(gradients[i], before[i+1])
		}
	}
	results := append([]*Node{loss, globalNorm(gradients)}, gradients...)
	if drawsByLoss(c) {
		results = append(results, losses)
	}
	return results
}

// globalNorm is the Euclidean norm of all values together. A product of a vector with itself would add up
// its squares one by one, on Go and on XLA's CPU plugin, and the norm would be off by 1e-5.
func globalNorm(xs []*Node) *Node {
	square := func(flat *Node) *Node { return ReduceAllSum(Square(flat)) }
	var squares, small []*Node
	for _, x := range xs {
		flat := Reshape(x, x.Shape().Size())
		if flat.Shape().Size() < 1<<16 {
			small = append(small, flat) // one sum for all, because XLA takes longer to compile and to run a sum for each
		} else {
			squares = append(squares, square(flat))
		}
	}
	if len(small) > 0 {
		squares = append(squares, square(Concatenate(small, 0)))
	}
	return Sqrt(ReduceAllSum(Stack(squares, 0)))
}

// run makes a step from its batches, [stepper.sum] and [stepper.change].
func (s *stepper) run(update int, batches []devices.Value, draw func(batch int) (random, levels *tensors.Tensor), times ...*tensors.Tensor) (result, error) {
	g, err := s.sum(batches, draw, times...)
	if err != nil {
		return result{}, err
	}
	return s.change(update, g)
}

// summed are the loss and the gradients of a step's batches.
type summed struct {
	sums   []devices.Value // the loss, and the gradient of each weight
	loss   float64         // not divided by the number of values
	norm   float64         // of all gradients together
	losses [][]float32     // of the clips of each batch, if levels are drawn by them
}

// sum computes the gradients of a step's batches, and leaves the weights as they are. draw returns the
// random state of each batch and its table of noise levels. times are those of the frames of each batch,
// [batch, frames], if clips differ in them.
func (s *stepper) sum(batches []devices.Value, draw func(batch int) (random, levels *tensors.Tensor), times ...*tensors.Tensor) (g summed, err error) {
	s.prepare()
	for i, batch := range batches {
		state, table := draw(i)
		random, err := s.devices.Put(state, devices.Copies)
		if err != nil {
			return g, fmt.Errorf("gradients: %w", err)
		}
		levels, err := s.devices.Put(table, devices.Parts)
		if err != nil {
			return g, fmt.Errorf("gradients: %w", err)
		}
		inputs := []devices.Value{batch, random, levels}
		if s.config.Frames.Times.Drawn() {
			of, err := s.devices.Put(times[i], devices.Parts)
			if err != nil {
				return g, fmt.Errorf("gradients: %w", err)
			}
			inputs = append(inputs, of)
		}
		out, err := s.gradients.Call(append(inputs, g.sums...)...)
		if err != nil {
			return g, fmt.Errorf("gradients: %w", err)
		}
		devices.Free(g.sums)
		if drawsByLoss(s.config) {
			last := len(out) - 1
			of, err := out[last].Numbers()
			if err != nil {
				return g, fmt.Errorf("losses: %w", err)
			}
			devices.Free(out[last:])
			g.losses, out = append(g.losses, of), out[:last]
		}
		g.loss, g.norm = out[0].Scalar(), out[1].Scalar()
		g.sums = append(out[:1:1], out[2:]...)
	}
	return g, nil
}

// change updates the weights. update is the number of this update, counted from 1. Gradients that are not
// finite change nothing.
func (s *stepper) change(update int, g summed) (result, error) {
	scalars, rate := s.update.Scalars(update, g.norm)
	r := result{Loss: g.loss / s.values, GradientNorm: g.norm, LearningRate: rate, Losses: g.losses}
	s.apply.Wait() // what follows a step that changes nothing may change weights
	if !finite(g.loss) || !finite(g.norm) {
		devices.Free(g.sums)
		r.Skipped = true
		return r, nil
	}
	first, err := s.devices.Put(tensors.FromValue(scalars), devices.Copies)
	if err == nil {
		_, err = s.apply.CallDonating(append([]devices.Value{first}, g.sums[1:]...)...)
	}
	if err != nil {
		return r, fmt.Errorf("update: %w", err)
	}
	return r, nil
}

func (s *stepper) close() {
	s.gradients.Close()
	s.apply.Close()
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
