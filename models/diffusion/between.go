package diffusion

import (
	"math"
	"sort"
)

// OfLabel is the level that the network is told by a label, which may lie between those of two
// timesteps. There the log-SNR is interpolated linearly: a network of timesteps is used between them
// as in DPM-Solver (Lu et al. 2022, section 3.4). Beyond the ends it is the level at the end. Between
// a timestep without signal and the next, it is the next.
func (s *Discrete) OfLabel(label float64) Level {
	t := max(0, min(float64(s.Steps()-1)-label, float64(s.Steps()-1)))
	below := int(t)
	if float64(below) == t {
		return s.At(below)
	}
	low, high := s.At(below), s.At(below+1)
	if high.Signal == 0 {
		return low
	}
	part := t - float64(below)
	return levelOf(low.LogSNR()*(1-part)+high.LogSNR()*part, low.Label*(1-part)+high.Label*part)
}

// OfLogSNR is the level of that log-SNR, the inverse of [Discrete.OfLabel]. Less than any timestep
// with signal has gives the noisiest of these.
func (s *Discrete) OfLogSNR(x float64) Level {
	noisiest := s.Steps() - 1
	for noisiest > 0 && s.AlphaBar[noisiest] == 0 {
		noisiest--
	}
	above := sort.Search(noisiest+1, func(t int) bool { return s.At(t).LogSNR() <= x })
	if above > noisiest {
		return s.At(noisiest)
	}
	high := s.At(above)
	if above == 0 || high.LogSNR() == x {
		return high
	}
	low := s.At(above - 1)
	part := (low.LogSNR() - x) / (low.LogSNR() - high.LogSNR())
	return levelOf(x, low.Label*(1-part)+high.Label*part)
}

// levelOf is the variance-preserving level of a log-SNR.
func levelOf(logSNR, label float64) Level {
	odds := math.Exp(logSNR) // signal^2 / noise^2
	return Level{Signal: math.Sqrt(odds / (1 + odds)), Noise: math.Sqrt(1 / (1 + odds)), Label: label}
}
