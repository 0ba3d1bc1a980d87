package sampler

import (
	"fmt"
	"math"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// spacing chooses the levels of a schedule that are visited.
type spacing interface {
	// levels are n levels, from the noisiest on, without [diffusion.Clean].
	levels(s diffusion.Schedule, n int) ([]diffusion.Level, error)
}

// spacings are the values of sampler.spacing, each with the defaults of its options.
var spacings = map[string]spacing{
	"uniform":   byTime{uniform},
	"leading":   byTime{leading},
	"linspace":  byTime{linspace},
	"quadratic": quadratic{},
	"karras":    karras{Rho: 7},
	"log_snr":   logSNR{},
	"listed":    listed{},
}

// Spacings lists the spacings.
func Spacings() []string { return configs.Names(spacings) }

// byTime is a spacing by shares of the schedule: u of level i of n, from 1, the noisiest, to above 0.
type byTime struct{ u func(i, n int) float64 }

func (b byTime) levels(s diffusion.Schedule, n int) ([]diffusion.Level, error) {
	levels := make([]diffusion.Level, n)
	for i := range levels {
		levels[i] = s.Level(b.u(i, n))
	}
	return levels, nil
}

// uniform spreads the levels evenly over the schedule from the noisiest on, as the published code
// does where n divides the number of levels. Elsewhere it is called trailing.
func uniform(i, n int) float64 { return 1 - float64(i)/float64(n) }

// leading spreads them evenly from the least noisy on, as the DDIM paper does: the noisiest levels
// are left out.
func leading(i, n int) float64 { return float64(n-1-i)/float64(n) + tiny }

// linspace spreads them evenly with both ends.
func linspace(i, n int) float64 {
	if n == 1 {
		return 1
	}
	return max(1-float64(i)/float64(n-1), tiny)
}

// tiny is a share that stands for the least noisy level, and is less than a timestep.
const tiny = 1e-6

// quadratic makes steps that grow with the noise, up to 0.8 of the schedule (Song et al. 2021, DDIM,
// appendix D.2; the 0.8 is that of its code). Levels may lie between timesteps, because many are
// close to clean frames.
type quadratic struct{}

func (quadratic) levels(s diffusion.Schedule, n int) ([]diffusion.Level, error) {
	noisiest, cleanest := s.Level(1).Label, s.Level(tiny).Label
	levels := make([]diffusion.Level, n)
	for i := range levels {
		root := 1 - float64(i)/float64(max(n-1, 1))
		levels[i] = s.OfLabel(cleanest + 0.8*root*root*(noisiest-cleanest))
	}
	return levels, nil
}

// karras spaces sigma^(1/rho) evenly, sigma = noise/signal (Karras et al. 2022, EDM, eq. 5).
type karras struct {
	Rho float64 `yaml:"rho" range:"[1, 100]" doc:"How many of the levels have little noise: 1 spaces sigma evenly, more puts more of them at its low end."`
}

func (k karras) levels(s diffusion.Schedule, n int) ([]diffusion.Level, error) {
	return bySigma(s, n, func(sigma float64) float64 { return math.Pow(sigma, 1/k.Rho) },
		func(x float64) float64 { return math.Pow(x, k.Rho) }), nil
}

// logSNR spaces the log-SNR evenly, which spaces sigma exponentially (Lu et al. 2022, DPM-Solver,
// section 3.3).
type logSNR struct{}

func (logSNR) levels(s diffusion.Schedule, n int) ([]diffusion.Level, error) {
	return bySigma(s, n, math.Log, math.Exp), nil
}

// bySigma spaces a function of sigma evenly between the ends of the schedule. A level without
// signal, where sigma is infinite, is the first of the levels, and the others are spaced below it.
func bySigma(s diffusion.Schedule, n int, f, inverse func(float64) float64) []diffusion.Level {
	var levels []diffusion.Level
	noisiest := s.Level(1)
	if noisiest.Signal == 0 {
		levels = append(levels, noisiest)
		noisiest = s.OfLogSNR(math.Inf(-1))
		n--
	}
	high, low := f(noisiest.Sigma()), f(s.Level(tiny).Sigma())
	for i := range n {
		part := float64(i) / float64(max(n-1, 1))
		levels = append(levels, s.OfLogSNR(-2*math.Log(inverse(high*(1-part)+low*part))))
	}
	return levels
}

// listed are levels given by hand.
type listed struct {
	At []float64 `yaml:"at" range:"(0, 1]" doc:"The levels as shares of the schedule, falling from at most 1, the noisiest, to above 0; as many as sampler.steps."`
}

func (l listed) levels(s diffusion.Schedule, n int) ([]diffusion.Level, error) {
	if len(l.At) != n {
		return nil, fmt.Errorf("%s.at: %d levels, want sampler.steps, which is %d", optionsPath, len(l.At), n)
	}
	levels := make([]diffusion.Level, n)
	for i, u := range l.At {
		if i > 0 && !(u < l.At[i-1]) {
			return nil, fmt.Errorf("%s.at[%d]: %v, want less than %v, the level before", optionsPath, i, u, l.At[i-1])
		}
		levels[i] = s.Level(u)
	}
	return levels, nil
}
