package diffusion

import "math"

// Level is one noise level: x_t = Signal x0 + Noise eps, with eps standard normal.
type Level struct {
	Signal, Noise float64
	// Label is what the network is told of the level.
	Label float64
}

// Clean is the level of x0 itself. No network is ever asked there, so it has no label of its own.
var Clean = Level{Signal: 1}

// LogSNR is the logarithm of the signal-to-noise ratio, ln(Signal^2 / Noise^2): infinite for clean
// frames, minus infinity where nothing of the signal is left.
func (l Level) LogSNR() float64 { return 2 * math.Log(l.Signal/l.Noise) }

// Sigma is the noise of x_t/Signal, the variable of the probability-flow ODE in EDM (Karras et al.
// 2022): 0 for clean frames, infinite where nothing of the signal is left.
func (l Level) Sigma() float64 { return l.Noise / l.Signal }
