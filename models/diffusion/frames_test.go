package diffusion

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mcvd/configs"
)

// drawnFrames draws levels of 3 frames for batches of 8 clips, clip by clip, as log-SNRs.
func drawnFrames(t *testing.T, levels, frames string, batches int) (clips [][]float64) {
	t.Helper()
	p := process(t, func(c *configs.Diffusion) { c.Levels, c.FrameLevels = levels, frames })
	rng := rand.New(rand.NewPCG(1, 2))
	for range batches {
		drawn := p.Draw(rng, 8, 3)
		if len(drawn) != 8*3 {
			t.Fatalf("%s, %s: %d levels for 8 clips of 3 frames", levels, frames, len(drawn))
		}
		for clip := range slices.Chunk(drawn, 3) {
			var one []float64
			for _, l := range clip {
				one = append(one, l.LogSNR())
			}
			clips = append(clips, one)
		}
	}
	return clips
}

// correlation is that of Pearson.
func correlation(a, b []float64) float64 {
	var sa, sb, aa, bb, ab float64
	n := float64(len(a))
	for i := range a {
		sa, sb = sa+a[i]/n, sb+b[i]/n
	}
	for i := range a {
		aa, bb, ab = aa+(a[i]-sa)*(a[i]-sa), bb+(b[i]-sb)*(b[i]-sb), ab+(a[i]-sa)*(b[i]-sb)
	}
	return ab / math.Sqrt(aa*bb)
}

// The levels of a clip's frames don't depend on each other, however those of a batch do; and each
// frame's are those that diffusion.levels draws.
func TestLevelsOfFramesAreIndependent(t *testing.T) {
	for _, levels := range []string{"uniform", "low_discrepancy", "antithetic", "log_normal"} {
		clips := drawnFrames(t, levels, "independent", 2000)
		frame := func(k int) (column []float64) {
			for _, clip := range clips {
				column = append(column, clip[k])
			}
			return column
		}
		for _, pair := range [][2]int{{0, 1}, {1, 2}, {0, 2}} {
			if got := correlation(frame(pair[0]), frame(pair[1])); !(math.Abs(got) <= 0.03) {
				t.Errorf("%s: frames %v correlate by %.3f, want 0", levels, pair, got)
			}
		}
		p := process(t, func(c *configs.Diffusion) { c.Levels = levels })
		rng := rand.New(rand.NewPCG(3, 4))
		var want []float64
		for range 2000 {
			for _, l := range p.Draw(rng, 8, 3) {
				want = append(want, l.LogSNR())
			}
		}
		slices.Sort(want)
		for k := range 3 {
			got := frame(k)
			slices.Sort(got)
			for _, share := range []float64{0.1, 0.5, 0.9} {
				i := int(share * float64(len(got)))
				if !(math.Abs(got[i]-want[i]) <= 0.2) {
					t.Errorf("%s: %g of frame %d's log-SNRs are below %.3f, want %.3f", levels, share, k, got[i], want[i])
				}
			}
		}
	}
}

// With low discrepancy, the levels of each frame are spread evenly over a batch, and the clips of a
// batch don't all have the same distance between two frames.
func TestLevelsOfAFrameAreSpreadOverTheBatch(t *testing.T) {
	p := process(t, func(c *configs.Diffusion) { c.Levels, c.FrameLevels = "low_discrepancy", "independent" })
	drawn := p.Draw(rand.New(rand.NewPCG(5, 6)), 10, 3)
	for k := range 3 {
		var labels []float64
		for i := k; i < len(drawn); i += 3 {
			labels = append(labels, drawn[i].Label)
		}
		slices.Sort(labels)
		for i, label := range labels[1:] {
			if apart := label - labels[i]; !(math.Abs(apart-100) <= 1) {
				t.Errorf("frame %d: labels %v are not 100 apart", k, labels)
			}
		}
	}
	distances := map[int]bool{}
	for i := 0; i < len(drawn); i += 3 {
		distances[int(math.Round((drawn[i+1].Label-drawn[i].Label+1000)/100))%10] = true
	}
	if len(distances) < 4 {
		t.Errorf("between the first two frames the clips have only the distances %v", distances)
	}
}

// Monotone levels are those of independent draws, sorted: no frame has less noise than the one before.
func TestMonotoneLevelsRise(t *testing.T) {
	clips, free := drawnFrames(t, "uniform", "monotone", 100), drawnFrames(t, "uniform", "independent", 100)
	strict := 0
	for i, clip := range clips {
		for k := 1; k < len(clip); k++ {
			if !(clip[k] <= clip[k-1]) {
				t.Fatalf("log-SNRs %v of clip %d rise", clip, i)
			}
			if clip[k] < clip[k-1] {
				strict++
			}
		}
		want := slices.Clone(free[i])
		slices.Sort(want)
		slices.Reverse(want)
		if !slices.Equal(clip, want) {
			t.Fatalf("clip %d has %v, want the independent draw sorted, %v", i, clip, want)
		}
	}
	if strict < 1000 {
		t.Errorf("only %d frames have more noise than the one before", strict)
	}
}

// A clip has one level, and no other than without frames, where they are equal.
func TestEqualLevelsAreOneForAClip(t *testing.T) {
	p := process(t, func(c *configs.Diffusion) { c.FrameLevels = "equal" })
	one, other := p.Draw(rand.New(rand.NewPCG(1, 2)), 5, 1), p.Draw(rand.New(rand.NewPCG(1, 2)), 5, 4)
	if len(one) != 5 || !slices.Equal(one, other) || p.LevelPerFrame() {
		t.Errorf("levels %v for clips of 1 frame, %v for clips of 4; per frame %v", one, other, p.LevelPerFrame())
	}
}
