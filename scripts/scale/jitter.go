package main

import (
	"math"
	"math/rand/v2"
)

// jitters draw the time of a batch as a multiple of the time without jitter. The standard deviation is
// spread.
var jitters = map[string]func(rng *rand.Rand, spread float64) float64{
	"exponential": exponential,
	"lognormal":   lognormal,
}

// exponential adds a delay, whose mean is spread as well: ranks are never faster than without jitter.
func exponential(rng *rand.Rand, spread float64) float64 { return 1 + spread*rng.ExpFloat64() }

// lognormal has the mean 1.
func lognormal(rng *rand.Rand, spread float64) float64 {
	variance := math.Log1p(spread * spread)
	return math.Exp(math.Sqrt(variance)*rng.NormFloat64() - variance/2)
}
