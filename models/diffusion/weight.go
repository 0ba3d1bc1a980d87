package diffusion

import (
	"math"
	"math/rand/v2"

	"mcvd/configs"
)

// Weight is the factor of the loss of F at a level. An error of F of size 1 is an error of x0 of
// size |out|, so a weight by out^2 counts the error of x0.
type Weight func(l Level, t Target) float64

// weights are the values of diffusion.weight.
var weights = map[string]Weight{
	"simple":  func(Level, Target) float64 { return 1 },
	"x0":      func(l Level, t Target) float64 { return t.errorOfX0(l) },
	"min_snr": func(l Level, t Target) float64 { return min(math.Exp(l.LogSNR()), 5) * t.errorOfX0(l) },
}

// errorOfX0 is the squared error of x0 that a squared error of 1 of F makes.
func (t Target) errorOfX0(l Level) float64 { _, _, out := t.Scale(l); return out * out }

// Weights lists the weights by level.
func Weights() []string { return configs.Names(weights) }

// spread draws u in (0, 1] for each of the n clips of a batch: the share of the way from clean
// frames to the noisiest level.
type spread func(rng *rand.Rand, n int) []float64

// spreads are the values of diffusion.levels. In all of them each u is uniform in (0, 1]; they
// differ in how the u of a batch depend on each other.
var spreads = map[string]spread{
	"uniform":         independent,
	"low_discrepancy": lowDiscrepancy,
}

// Spreads lists the ways of drawing levels.
func Spreads() []string { return configs.Names(spreads) }

// independent draws each u by itself.
func independent(rng *rand.Rand, n int) []float64 {
	u := make([]float64, n)
	for i := range u {
		u[i] = 1 - rng.Float64()
	}
	return u
}

// lowDiscrepancy spaces the u of a batch evenly, starting from one draw, so that the batch's loss
// varies less (Kingma et al. 2021, VDM, appendix I.1).
func lowDiscrepancy(rng *rand.Rand, n int) []float64 {
	u, first := make([]float64, n), rng.Float64()
	for i := range u {
		u[i] = 1 - math.Mod(first+float64(i)/float64(n), 1)
	}
	return u
}
