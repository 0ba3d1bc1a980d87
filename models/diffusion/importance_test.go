package diffusion

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"mcvd/configs"
)

// running has 4 levels, whose losses are known.
func running(t *testing.T) *Running {
	t.Helper()
	return process(t, func(c *configs.Diffusion) {
		c.Levels, c.Steps, c.Options = ByLoss, 4, configs.Options{"beta_end": 0.5}
	}).Running()
}

// drawnShares are how often each level is drawn, by timestep, and its factor.
func drawnShares(r *Running, n int) (shares, factors [4]float64) {
	levels, of := r.Draw(rand.New(rand.NewPCG(1, 2)), n)
	for i, l := range levels {
		t := 3 - int(l.Label)
		shares[t] += 1 / float64(n)
		factors[t] = of[i]
	}
	return shares, factors
}

// Levels are drawn in proportion to the root of the mean square of their last 10 losses (Nichol and
// Dhariwal 2021, eq. 18), uniformly as long as one has fewer, and the factors are 1 / (T p).
func TestLevelsAreDrawnByTheirLosses(t *testing.T) {
	r := running(t)
	add := func(level, n int, loss float64) {
		for range n {
			r.Add(r.schedule.At(level), loss)
		}
	}
	for level := range 4 {
		add(level, 25, 1e6) // which are forgotten below
	}
	add(0, 10, 1)
	add(1, 10, 2)
	add(2, 5, 3)
	add(2, 5, 5) // a root mean square of sqrt(17)
	add(3, 10, 0)
	total := 3 + math.Sqrt(17)
	want := [4]float64{1 / total, 2 / total, math.Sqrt(17) / total, 0}
	shares, factors := drawnShares(r, 200000)
	mean := 0.0
	for level, p := range want {
		p = (1-uniformShare)*p + uniformShare/4
		if !(math.Abs(shares[level]-p) <= 0.004) {
			t.Errorf("level %d is drawn with frequency %.4f, want %.4f", level, shares[level], p)
		}
		if !(math.Abs(factors[level]*4*p-1) <= 1e-9) {
			t.Errorf("level %d has the factor %g, want %g", level, factors[level], 1/(4*p))
		}
		mean += p * factors[level] * float64(level*level) // of a loss of level^2
	}
	if !(math.Abs(mean-3.5) <= 1e-9) {
		t.Errorf("the expected loss is %g, want that of uniform draws, 3.5", mean)
	}
}

func TestLevelsAreDrawnUniformlyUntilAllHaveLosses(t *testing.T) {
	r := running(t)
	for i := range 39 { // the last level has 9
		r.Add(r.schedule.At(i%4), float64(1+i%4))
	}
	check := func(what string, uniform bool) {
		shares, factors := drawnShares(r, 20000)
		for level := range 4 {
			if even := math.Abs(shares[level]-0.25) <= 0.02 && math.Abs(factors[level]-1) <= 1e-12; even != uniform {
				t.Errorf("%s: level %d is drawn with frequency %g and has the factor %g", what, level, shares[level], factors[level])
			}
		}
	}
	check("9 losses of the last level", true)
	r.Add(r.schedule.At(3), 4)
	check("10 losses of all levels", false)
	for range 10 {
		for level := range 4 {
			r.Add(r.schedule.At(level), 0)
		}
	}
	check("losses of 0", true)
}

// What is written goes on as if it had not been written.
func TestRecentLossesAreRestored(t *testing.T) {
	r := running(t)
	for i := range 77 {
		r.Add(r.schedule.At(i*i%4), float64(i))
	}
	other := running(t)
	if err := other.Restore(r.Text()); err != nil || other.Text() != r.Text() || other.Text() == running(t).Text() {
		t.Errorf("error %v, restored %q, want %q", err, other.Text(), r.Text())
	}
	for text, want := range map[string]string{"AAAA": "3 bytes, want the 160 of 4 levels", "!": "recent losses of levels: illegal base64"} {
		if err := other.Restore(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

func TestWhereLevelsCanNotBeDrawnByLosses(t *testing.T) {
	for want, change := range map[string]func(c *configs.Diffusion){
		"diffusion.levels: by_loss, want another, because diffusion.schedule vp has no timesteps":  func(c *configs.Diffusion) { c.Schedule = "vp" },
		"because with diffusion.frame_levels: independent a clip's loss belongs to several levels": func(c *configs.Diffusion) { c.FrameLevels = "independent" },
	} {
		c := configs.Default().Diffusion
		c.Levels = ByLoss
		if _, err := New(c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if process(t, func(c *configs.Diffusion) {}).Running() != nil {
		t.Error("uniform levels remember losses")
	}
}
