package diffusion

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/models/paritytest"
)

// agreements say from which label on a schedule and the published one must agree, and how well.
// Recorded values are float32; those of the cosine schedule lose digits where the cosine comes near
// 0, at the noisiest timesteps, and its last beta is not bounded.
var agreements = map[string]struct {
	first          int
	alphaBar, beta float64
}{
	"linear": {first: 0, alphaBar: 1e-6, beta: 1e-8},
	"cosine": {first: 1, alphaBar: 1e-4, beta: 5e-5},
}

// Schedules are the published ones.
func TestParitySchedules(t *testing.T) {
	paritytest.Each(t, "sampler/schedule_*.safetensors", func(t *testing.T, path string) {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "schedule_"), ".safetensors")
		want, ok := agreements[name]
		if !ok {
			t.Fatalf("%s: nobody said how well the %s schedule has to agree", path, name)
		}
		d := standard
		d.Schedule = name
		s := schedule(t, d)
		f := paritytest.Open(t, path)
		alphaBars, before, betas := f.Doubles("alphas_bar"), f.Doubles("alphas_bar_prev"), f.Doubles("betas")
		if len(alphaBars) != s.Steps() || len(before) != s.Steps() || len(betas) != s.Steps() {
			t.Fatalf("%d steps, the published schedule has %d", s.Steps(), len(alphaBars))
		}
		worst, worstBeta := 0.0, 0.0
		for step, got := range s.AlphaBar {
			label := s.Label(step)
			if label < want.first {
				continue
			}
			previous := 1.0
			if step > 0 {
				previous = s.AlphaBar[step-1]
			}
			d := max(math.Abs(got-alphaBars[label])/got, math.Abs(previous-before[label])/previous)
			if !(d <= want.alphaBar) {
				t.Errorf("t = %d: alphaBar %g after %g, published %g after %g", step, got, previous, alphaBars[label], before[label])
			}
			beta := 1 - got/previous
			db := math.Abs(beta - betas[label])
			if !(db <= want.beta) {
				t.Errorf("t = %d: beta %g, published %g", step, beta, betas[label])
			}
			worst, worstBeta = max(worst, d), max(worstBeta, db)
		}
		t.Logf("worst deviation: alphaBar %.2g of the value, beta %.2g", worst, worstBeta)
	})
}
