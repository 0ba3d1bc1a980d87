package train

import (
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/diffusion"
)

// Streams of random numbers: each use has one of its own.
const (
	trainingStream uint64 = iota + 1
	validationStream
	levelStream // of the host
)

// randomState is the state of a graph's random numbers as a function of (seed, stream, step,
// batch). Nothing else is remembered between steps, so a run that is resumed draws the same numbers
// as one that was never stopped.
func randomState(seed, stream, step, batch uint64) *tensors.Tensor {
	rng := source(seed, stream, step, batch)
	return tensors.FromValue([]uint64{rng.Uint64(), rng.Uint64(), rng.Uint64()})
}

// source is such a generator on the host.
func source(seed, stream, step, batch uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream<<60|step<<16|batch))
}

// drawsOf makes the random state and the noise levels of each batch of a training step.
func drawsOf(m objective, c *configs.Config, step int) func(batch int) (random, levels *tensors.Tensor) {
	return func(batch int) (random, levels *tensors.Tensor) {
		return stateOf(c, step, batch), m.DrawLevels(levelsOf(c, step, batch), c.Train.Batch)
	}
}

// of are the draws for a part of each batch. Its random state is that of the whole: see [nn.Random].
func (p part) of(draws func(batch int) (random, levels *tensors.Tensor)) func(batch int) (random, levels *tensors.Tensor) {
	if p.size == p.batch {
		return draws
	}
	return func(batch int) (random, levels *tensors.Tensor) {
		random, table := draws(batch)
		d := table.Shape().Dimensions
		row := table.Size() / d[0]
		flat := tensors.MustCopyFlatData[float32](table)
		return random, tensors.FromFlatDataAndDimensions(flat[p.from*row:(p.from+p.size)*row], p.size, d[1], d[2])
	}
}

// stateOf is the random state of a batch's graph, and levelsOf what draws its levels.
func stateOf(c *configs.Config, step, batch int) *tensors.Tensor {
	return randomState(c.Seed, trainingStream, uint64(step), uint64(batch))
}

func levelsOf(c *configs.Config, step, batch int) *rand.Rand {
	return source(c.Seed, levelStream, uint64(step), uint64(batch))
}

// drawsByLoss says whether levels are drawn by losses. A student draws steps of its teacher instead.
func drawsByLoss(c *configs.Config) bool {
	return c.Diffusion.Levels == diffusion.ByLoss && c.Train.Teacher == ""
}

// byLoss draws the levels of a step's batches by the losses of the steps before. A step learns nothing
// of the losses of its own batches.
type byLoss struct {
	running *diffusion.Running
	drawn   []drawn // for the steps of which nothing was learned yet
}

// drawn are the levels of a step.
type drawn struct {
	levels  [][]diffusion.Level // of each batch
	factors [][]float64         // of each batch's losses
}

// draws is [drawsOf] for the next step. They are remembered for learn.
func (b *byLoss) draws(m *models.Model, c *configs.Config, step int) func(batch int) (random, levels *tensors.Tensor) {
	b.drawn = append(b.drawn, drawn{})
	of := &b.drawn[len(b.drawn)-1]
	return func(batch int) (random, levels *tensors.Tensor) {
		each, factors, table := m.DrawByLoss(levelsOf(c, step, batch), c.Train.Batch, b.running)
		of.levels, of.factors = append(of.levels, each), append(of.factors, factors)
		return stateOf(c, step, batch), table
	}
}

// learn remembers the losses of the clips of the first step of which nothing was learned yet, unless it was
// skipped.
func (b *byLoss) learn(r result) {
	of := b.drawn[0]
	b.drawn = b.drawn[1:]
	if r.Skipped {
		return
	}
	for batch, losses := range r.Losses {
		for i, loss := range losses {
			if x := float64(loss) / of.factors[batch][i]; finite(x) { // else a rank skipped the step
				b.running.Add(of.levels[batch][i], x)
			}
		}
	}
}
