package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mcvd/data/clips"
)

// texture is a smooth pattern without end.
type texture [6]struct{ y, x, phase float64 }

func newTexture(r *rand.Rand) (t texture) {
	for i := range t {
		t[i].y, t[i].x, t[i].phase = 0.5*r.NormFloat64(), 0.5*r.NormFloat64(), 7*r.Float64()
	}
	return t
}

// clip shows the texture where it is after each frame's movement.
func (t texture) clip(side int, at ...place) clips.Clip {
	c := clips.NewClip(len(at), side, side, 1)
	for i := range c.Pix {
		p := at[i/(side*side)]
		y, x := float64(i/side%side)-p.y, float64(i%side)-p.x
		v := 0.0
		for _, wave := range t {
			v += math.Sin(wave.y*y + wave.x*x + wave.phase)
		}
		c.Pix[i] = uint8(math.Round(128 + 20*v))
	}
	return c
}

// Points of a texture that moves are found where they are.
func TestFollowFindsTranslations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, want := range []place{{0, 0}, {0.3, -0.4}, {1.3, 2.4}, {-5, 4}, {0, 6}} {
		c := newTexture(r).clip(96, place{}, want)
		from, to := pyramid(c.Slice(0, 1)), pyramid(c.Slice(1, 2))
		var off []float64
		for y := 20.0; y < 76; y += 5 {
			for x := 20.0; x < 76; x += 5.5 {
				got := follow(from, to, place{y, x})
				off = append(off, math.Hypot(got.y-y-want.y, got.x-x-want.x))
			}
		}
		slices.Sort(off)
		// What lies between pixels is not quite bilinear.
		if median, most := off[len(off)/2], off[len(off)*9/10]; !(median <= 0.06) || !(most <= 0.2) {
			t.Errorf("moved by %v: the median is off by %.3f pixels, nine of ten by less than %.3f; want 0.06 and 0.2", want, median, most)
		}
	}
}

// Where nothing can be seen, nothing moves, and no point leaves the frame.
func TestFollowStays(t *testing.T) {
	flat := pyramid(constant(90, 1, 40, 50, 3))
	if got := follow(flat, flat, place{3, 4}); got != (place{3, 4}) {
		t.Errorf("a point of a flat frame moves to %v", got)
	}
	r := rand.New(rand.NewPCG(3, 4))
	a, b := pyramid(noisy(r, 1, 33, 47, 1)), pyramid(noisy(r, 1, 33, 47, 1))
	for range 300 {
		p := place{32 * r.Float64(), 46 * r.Float64()}
		if got := follow(a, b, p); !(got.y >= -1e-9 && got.y <= 32+1e-9 && got.x >= -1e-9 && got.x <= 46+1e-9) {
			t.Fatalf("%v moves to %v, out of a frame of 33x47", p, got)
		}
	}
}

// Directions begin at the right and go on clockwise; one between two is shared by them. The weight
// is the logarithm of the speed.
func TestHistogram(t *testing.T) {
	sin, cos := math.Sincos(math.Pi / 8)
	for _, tt := range []struct {
		move  place
		want  map[int]float64
		title string
	}{
		{place{0, 3}, map[int]float64{0: 2.0 / 8}, "right"},
		{place{1, 0}, map[int]float64{2: 1.0 / 8}, "down"},
		{place{0, -7}, map[int]float64{4: 3.0 / 8}, "left"},
		{place{-3 / math.Sqrt2, 3 / math.Sqrt2}, map[int]float64{7: 2.0 / 8}, "up and right"},
		{place{3 * sin, 3 * cos}, map[int]float64{0: 1.0 / 8, 1: 1.0 / 8}, "between two"},
		{place{-3 * sin, 3 * cos}, map[int]float64{0: 1.0 / 8, 7: 1.0 / 8}, "between the last and the first"},
		{place{0, 1e6}, map[int]float64{0: 1}, "very far"},
		{place{}, nil, "not at all"},
	} {
		var h histogram
		h.add(tt.move)
		for i, v := range h {
			if !(math.Abs(float64(v)-tt.want[i]) <= 1e-6) {
				t.Errorf("%s: %v, want %v", tt.title, h, tt.want)
				break
			}
		}
	}
}

// The histograms of a texture that moves to the right at one speed are known: all 25 points of a
// cell in each of four steps, in the first direction, and no acceleration.
func TestMotionOfOneSpeed(t *testing.T) {
	var at []place
	for i := range 9 {
		at = append(at, place{0, 1.5 * float64(i)})
	}
	got := motionOf(newTexture(rand.New(rand.NewPCG(5, 6))).clip(128, at...))
	const cells = 2 * 16 // by time and place
	if len(got) != 2*cells*motionAngles {
		t.Fatalf("%d numbers, want %d", len(got), 2*cells*motionAngles)
	}
	want := 100 * math.Log2(1+2*1.5) / 8
	for cell := range cells {
		if column := cell % 4; column == 3 { // points leave on the right, and others see the border
			continue
		}
		v, a := got[cell*motionAngles:][:motionAngles], got[(cells+cell)*motionAngles:][:motionAngles]
		var rest, accelerated float32
		for i := range v {
			accelerated += a[i]
			if i > 0 {
				rest += v[i]
			}
		}
		if !(math.Abs(float64(v[0])-want) <= 0.1*want) || !(rest <= 0.1*float32(want)) || !(accelerated <= 0.2*float32(want)) {
			t.Errorf("cell %d: velocities %v, accelerations %v, want %.3g first and about 0 elsewhere", cell, v, a, want)
		}
	}
}

// fvmdBetween is the metric's value of two sets of eight textures, each of which moves by its own
// path.
func fvmdBetween(t *testing.T, real, made func(clip, frame int) place) float64 {
	t.Helper()
	var sets [2][][]float32
	for k, path := range []func(clip, frame int) place{real, made} {
		r := rand.New(rand.NewPCG(7, uint64(k)))
		var list []clips.Clip
		for clip := range 8 {
			var at []place
			for frame := range 9 {
				at = append(at, path(clip, frame))
			}
			list = append(list, newTexture(r).clip(48, at...))
		}
		var err error
		if sets[k], err = (motion{}).Features(list); err != nil {
			t.Fatal(err)
		}
	}
	d, err := FrechetOf(sets[0], sets[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The nearer a set's speed is to the real one, the less the distance. Movements that run backwards
// are noticed, by their directions and, where clips move to all sides, by when they are fast.
func TestFVMDRanks(t *testing.T) {
	speed := func(v float64) func(int, int) place {
		return func(_, frame int) place { return place{0, v * float64(frame)} }
	}
	fast := speed(2)
	same, slower, slow, still := fvmdBetween(t, fast, fast), fvmdBetween(t, fast, speed(1)), fvmdBetween(t, fast, speed(0.4)), fvmdBetween(t, fast, speed(0))
	t.Logf("as fast %.1f, half as fast %.1f, slow %.1f, still %.1f", same, slower, slow, still)
	if !(1.5*same < slower && 1.5*slower < slow && 1.2*slow < still) {
		t.Errorf("as fast %g, half as fast %g, slow %g, still %g: want them in this order", same, slower, slow, still)
	}
	if back := fvmdBetween(t, fast, speed(-2)); !(back > 3*same) {
		t.Errorf("backwards: %g, want far more than %g", back, same)
	}
	faster := func(reversed bool) func(int, int) place {
		return func(clip, frame int) place {
			if reversed {
				frame = 8 - frame
			}
			sin, cos := math.Sincos(math.Pi / 2 * float64(clip%4))
			way := 0.12 * float64(frame*frame)
			return place{way * sin, way * cos}
		}
	}
	alike, reversed := fvmdBetween(t, faster(false), faster(false)), fvmdBetween(t, faster(false), faster(true))
	t.Logf("to all sides, alike %.1f, reversed %.1f", alike, reversed)
	if !(reversed > 2*alike) {
		t.Errorf("to all sides, reversed: %g, want more than the %g of clips that are not", reversed, alike)
	}
}

func TestFVMDRefuses(t *testing.T) {
	for name, c := range map[string]clips.Clip{"two frames": constant(0, 2, 16, 16, 1), "small frames": constant(0, 9, 7, 16, 1)} {
		if _, err := (motion{}).Features([]clips.Clip{c}); !errors.As(err, new(Skipped)) {
			t.Errorf("%s: %v, want it skipped", name, err)
		}
	}
	rows, err := motion{}.Features([]clips.Clip{constant(7, 3, 8, 8, 3), constant(9, 3, 8, 8, 3)})
	if err != nil || len(rows) != 2 || len(rows[0]) != 256 || slices.ContainsFunc(rows[0], func(v float32) bool { return v != 0 }) {
		t.Errorf("the least clips: %v, %v, want 256 zeros", rows, err)
	}
}
