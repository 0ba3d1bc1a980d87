package train

import (
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// Streams of random numbers: what a state is for, so that no two uses share one.
const (
	trainingStream uint64 = iota + 1
	validationStream
)

// randomState is the state of a graph's random numbers as a function of (seed, stream, step, batch): nothing else is remembered
// between steps, so a run that is resumed draws what one that was never stopped draws.
func randomState(seed, stream, step, batch uint64) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, stream<<60|step<<16|batch))
	return tensors.FromValue([]uint64{rng.Uint64(), rng.Uint64(), rng.Uint64()})
}
