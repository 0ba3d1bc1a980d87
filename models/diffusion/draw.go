package diffusion

import (
	"math"
	"math/rand/v2"

	"mcvd/configs"
)

// spread draws the levels of the n clips of a training batch.
type spread interface {
	draw(rng *rand.Rand, n int, s Schedule) []Level
}

// spreads are the values of diffusion.levels, each with the defaults of its options.
var spreads = map[string]spread{
	"uniform":         byShare{independent},
	"low_discrepancy": byShare{lowDiscrepancy},
	"antithetic":      byShare{antithetic},
	ByLoss:            byLoss{},
	"logit_normal":    logitNormal{Mean: 0, Std: 1},
	"log_normal":      logNormal{Mean: -1.2, Std: 1.2},
}

// Spreads lists the ways of drawing levels.
func Spreads() []string { return configs.Names(spreads) }

// Draw draws the levels of a batch of training clips: one for each clip, or one for each of its frames,
// clip by clip, if [Process.LevelPerFrame].
func (p *Process) Draw(rng *rand.Rand, batch, frames int) []Level {
	one := func() []Level { return p.spread.draw(rng, batch, p.Schedule) }
	if p.frames == nil {
		return one()
	}
	return p.frames(rng, one, frames)
}

// byShare draws u in (0, 1] for each clip: the share of the way from clean frames to the noisiest
// level. Each u is uniform; the ways differ in how the u of a batch depend on each other.
type byShare struct {
	shares func(rng *rand.Rand, n int) []float64
}

func (b byShare) draw(rng *rand.Rand, n int, s Schedule) []Level {
	levels := make([]Level, n)
	for i, u := range b.shares(rng, n) {
		levels[i] = s.Level(u)
	}
	return levels
}

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

// antithetic draws pairs: where one clip has little noise, the next has much. A last clip without a
// partner is drawn by itself.
func antithetic(rng *rand.Rand, n int) []float64 {
	u := independent(rng, n)
	for i := 1; i < n; i += 2 {
		u[i] = max(1-u[i-1], math.SmallestNonzeroFloat64)
	}
	return u
}

// logitNormal draws the share from a logit-normal distribution, which prefers the middle of the
// schedule (Esser et al. 2024, eq. 19).
type logitNormal struct {
	Mean float64 `yaml:"logit_mean" range:"[-5, 5]" doc:"The mean of logit(u), u being the share of the way to the noisiest level: above 0 prefers noise."`
	Std  float64 `yaml:"logit_std" range:"[0.1, 5]" doc:"The standard deviation of logit(u)."`
}

func (l logitNormal) draw(rng *rand.Rand, n int, s Schedule) []Level {
	levels := make([]Level, n)
	for i := range levels {
		levels[i] = s.Level(1 / (1 + math.Exp(-l.Mean-l.Std*rng.NormFloat64())))
	}
	return levels
}

// logNormal draws noise/signal from a log-normal distribution (Karras et al. 2022, EDM, table 1).
// What lies outside of the schedule becomes the level at its end.
type logNormal struct {
	Mean float64 `yaml:"p_mean" range:"[-10, 10]" doc:"The mean of the logarithm of noise/signal."`
	Std  float64 `yaml:"p_std" range:"[0.1, 10]" doc:"The standard deviation of the logarithm of noise/signal."`
}

func (l logNormal) draw(rng *rand.Rand, n int, s Schedule) []Level {
	levels := make([]Level, n)
	for i := range levels {
		levels[i] = s.OfLogSNR(-2 * (l.Mean + l.Std*rng.NormFloat64()))
	}
	return levels
}
