package diffusion

import (
	"math"

	"mcvd/configs"
)

// Weight is the factor of the loss of F at a level. An error of F of size 1 is an error of x0 of
// size |out|, so a weight by out^2 counts the error of x0.
type Weight interface {
	of(l Level, t Target) float64
}

// weights are the values of diffusion.weight, each with the defaults of its options.
var weights = map[string]Weight{
	"simple":  simple{},
	"x0":      ofX0{func(float64) float64 { return 1 }},
	"eps":     ofX0{func(snr float64) float64 { return snr }},
	"v":       ofX0{func(snr float64) float64 { return 1 + snr }},                   // Salimans and Ho 2022, SNR+1
	"p2":      ofX0{func(snr float64) float64 { return snr / (1 + snr) }},           // Choi et al. 2022, eq. 8 with k = gamma = 1
	"edm":     ofX0{func(snr float64) float64 { return snr + 1/(dataStd*dataStd) }}, // Karras et al. 2022, table 1
	"min_snr": minSNR{Bound: 5},
	// Salimans and Ho 2022, truncated SNR: some weight is left where there is no signal.
	"truncated_snr": ofX0{func(snr float64) float64 { return max(snr, 1) }},
}

// simple counts the error of whatever the network predicts.
type simple struct{}

func (simple) of(Level, Target) float64 { return 1 }

// ofX0 counts the error of x0 by a function of the signal-to-noise ratio.
type ofX0 struct{ by func(snr float64) float64 }

func (w ofX0) of(l Level, t Target) float64 { return w.by(math.Exp(l.LogSNR())) * t.errorOfX0(l) }

// minSNR counts the error of x0 by the signal-to-noise ratio, up to a bound (Hang et al. 2023).
type minSNR struct {
	Bound float64 `yaml:"min_snr" range:"(0, 1000]" doc:"The signal-to-noise ratio above which the weight grows no more."`
}

func (w minSNR) of(l Level, t Target) float64 {
	return min(math.Exp(l.LogSNR()), w.Bound) * t.errorOfX0(l)
}

// errorOfX0 is the squared error of x0 that a squared error of 1 of F makes.
func (t Target) errorOfX0(l Level) float64 { _, _, out := t.Scale(l); return out * out }

// Weights lists the weights by level.
func Weights() []string { return configs.Names(weights) }
