package train

import (
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
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
		return randomState(c.Seed, trainingStream, uint64(step), uint64(batch)),
			m.DrawLevels(source(c.Seed, levelStream, uint64(step), uint64(batch)), c.Train.Batch)
	}
}
