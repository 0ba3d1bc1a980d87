package diffusion

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLevelsBetweenTimesteps(t *testing.T) {
	for _, end := range []float64{0.02, 1} {
		s := schedule(t, linearOf(50, 1e-4, end))
		last := s.Steps() - 1
		for step := range s.Steps() {
			want := s.At(step)
			if got := s.OfLabel(want.Label); got != want {
				t.Errorf("label %g: %+v, want %+v", want.Label, got, want)
			}
			if got := s.OfLogSNR(want.LogSNR()); got != want && want.Signal > 0 {
				t.Errorf("log-SNR %g: %+v, want %+v", want.LogSNR(), got, want)
			}
		}
		noisiest := last
		if end == 1 {
			noisiest--
		}
		for x, want := range map[float64]Level{math.Inf(-1): s.At(noisiest), math.Inf(1): s.At(0), 100: s.At(0)} {
			if got := s.OfLogSNR(x); got != want {
				t.Errorf("log-SNR %g: %+v, want %+v", x, got, want)
			}
		}
		for label, want := range map[float64]Level{-3: s.At(last), 1000: s.At(0)} {
			if got := s.OfLabel(label); got != want {
				t.Errorf("label %g: %+v, want %+v", label, got, want)
			}
		}
		if got := s.OfLabel(0.5); end == 1 && got != s.At(last-1) {
			t.Errorf("between a timestep without signal and the next: %+v", got)
		}
		rapid.Check(t, func(t *rapid.T) {
			x := rapid.Float64Range(s.At(noisiest).LogSNR(), s.At(0).LogSNR()).Draw(t, "log-SNR")
			l := s.OfLogSNR(x)
			if back := s.OfLabel(l.Label); !(math.Abs(l.LogSNR()-x) <= 1e-9) || !(math.Abs(back.LogSNR()-x) <= 1e-9) ||
				!(math.Abs(l.power()-1) <= 1e-12) {
				t.Fatalf("log-SNR %g: %+v has %g, and its label %g", x, l, l.LogSNR(), back.LogSNR())
			}
		})
	}
}
