package augment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/data/clips"
)

// noise is a clip of random bytes.
func noise(seed uint64, frames, height, width, channels int) clips.Clip {
	c, rng := clips.NewClip(frames, height, width, channels), rand.New(rand.NewPCG(seed, 1))
	for i := range c.Pix {
		c.Pix[i] = uint8(rng.Uint32())
	}
	return c
}

// seeded gives each kind numbers of its own.
func seeded(seed uint64) func(key uint64) *rand.Rand {
	return func(key uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, key)) }
}

// all switches everything on.
var all = configs.Augment{Reverse: true, FlipVertical: true, Zoom: 0.3, Brightness: 0.2, Contrast: 0.2, Saturation: 0.5}

// Nothing that is off changes a byte, the clip that is given stays as it is, and equal numbers give equal
// clips.
func TestApply(t *testing.T) {
	c := noise(1, 3, 6, 5, 3)
	before := slices.Clone(c.Pix)
	if got := Apply(c, configs.Augment{}, seeded(1)); !slices.Equal(got.Pix, before) {
		t.Error("without settings the clip changed")
	}
	different := 0
	for seed := range uint64(20) {
		a, b := Apply(c, all, seeded(seed)), Apply(c, all, seeded(seed))
		if !slices.Equal(a.Pix, b.Pix) || a.Frames != 3 || a.Height != 6 || a.Width != 5 || a.Channels != 3 || len(a.Pix) != len(c.Pix) {
			t.Fatalf("seed %d: %d values, or not the same twice", seed, len(a.Pix))
		}
		if !slices.Equal(a.Pix, Apply(c, all, seeded(seed+100)).Pix) {
			different++
		}
	}
	if !slices.Equal(c.Pix, before) || different < 19 {
		t.Errorf("the clip that was given changed, or only %d of 20 seeds differ", different)
	}
}

// Kinds have settings of their own, names of their own, and draw the same whatever else is on.
func TestKinds(t *testing.T) {
	settings := configs.OptionsOf(configs.Augment{})
	moves := true
	for i, k := range kinds {
		if _, ok := settings[k.name]; !ok {
			t.Errorf("%s is no setting", k.name)
		}
		if (k.moves == nil) == (k.computes == nil) || k.moves != nil && !moves {
			t.Errorf("%s: want moves or computes, and moves first", k.name)
		}
		moves = k.moves != nil
		if k.on(configs.Augment{}) || !k.on(all) {
			t.Errorf("%s: its setting does not switch it on", k.name)
		}
		for _, other := range kinds[:i] {
			if other.key() == k.key() {
				t.Errorf("%s and %s draw the same numbers", k.name, other.name)
			}
		}
	}
	if len(settings) != len(kinds) {
		t.Errorf("%d settings, %d kinds", len(settings), len(kinds))
	}
}

func TestMovesAreUndoneByThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := func(name string) int { return rapid.IntRange(1, 5).Draw(t, name) }
		c := noise(rapid.Uint64().Draw(t, "seed"), size("frames"), size("height"), size("width"), rapid.SampledFrom([]int{1, 3}).Draw(t, "channels"))
		at := func(c clips.Clip, f, y, x, ch int) uint8 { return c.Pix[((f*c.Height+y)*c.Width+x)*c.Channels+ch] }
		for name, move := range map[string]struct {
			do    func(clips.Clip) clips.Clip
			place func(f, y, x int) (int, int, int)
		}{
			"reverse": {Reverse, func(f, y, x int) (int, int, int) { return c.Frames - 1 - f, y, x }},
			"upend":   {Upend, func(f, y, x int) (int, int, int) { return f, c.Height - 1 - y, x }},
			"mirror":  {Mirror, func(f, y, x int) (int, int, int) { return f, y, c.Width - 1 - x }},
		} {
			moved := move.do(c)
			for f := range c.Frames {
				for y := range c.Height {
					for x := range c.Width {
						for ch := range c.Channels {
							ff, yy, xx := move.place(f, y, x)
							if at(moved, f, y, x, ch) != at(c, ff, yy, xx, ch) {
								t.Fatalf("%s: pixel %d %d %d is not that of %d %d %d", name, f, y, x, ff, yy, xx)
							}
						}
					}
				}
			}
			if !slices.Equal(move.do(moved).Pix, c.Pix) {
				t.Fatalf("%s twice is another clip", name)
			}
		}
	})
}

// About half of the clips are moved, by each kind for itself.
func TestMovesAreMadeByHalf(t *testing.T) {
	c := noise(3, 2, 3, 3, 1)
	counts := map[string]int{}
	for seed := range uint64(1000) {
		got := Apply(c, configs.Augment{Reverse: true, FlipVertical: true}, seeded(seed))
		for name, want := range map[string]clips.Clip{"none": c, "reverse": Reverse(c), "upend": Upend(c), "both": Upend(Reverse(c))} {
			if slices.Equal(got.Pix, want.Pix) {
				counts[name]++
			}
		}
	}
	for _, name := range []string{"none", "reverse", "upend", "both"} {
		if n := counts[name]; !(math.Abs(float64(n)-250) < 5*math.Sqrt(1000*0.25*0.75)) {
			t.Errorf("%s: %d of 1000, want about a quarter: %v", name, n, counts)
		}
	}
}
