package augment

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/data/clips"
)

// A plane stays a plane: where values rise evenly over the frame, those of a part of it do, from where
// the part lies. The edges go on as they are.
func TestMagnifyIsRightOnAPlane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 9).Draw(t, "height"), rapid.IntRange(1, 9).Draw(t, "width")
		share := rapid.Float64Range(0.05, 1).Draw(t, "share")
		top, left := rapid.Float64Range(0, 1).Draw(t, "top"), rapid.Float64Range(0, 1).Draw(t, "left")
		plane := func(f int, y, x float64, ch int) float64 { return 3 + 5*y + 2*x + 40*float64(ch) + 7*float64(f) }
		n := numbersOf(clips.NewClip(2, h, w, 3))
		each := func(do func(i, f, y, x, ch int)) {
			for i := range n.pix {
				do(i, i/(h*w*3), i/(w*3)%h, i/3%w, i%3)
			}
		}
		each(func(i, f, y, x, ch int) { n.pix[i] = float32(plane(f, float64(y), float64(x), ch)) })
		magnify(n, share, top, left)
		source := func(i, n int, before float64) float64 {
			return min(max(before*(1-share)*float64(n)+(float64(i)+0.5)*share-0.5, 0), float64(n-1))
		}
		each(func(i, f, y, x, ch int) {
			if want := plane(f, source(y, h, top), source(x, w, left), ch); !(math.Abs(float64(n.pix[i])-want) <= 1e-3) {
				t.Fatalf("frame %d, %d %d %d: %g, want %g", f, y, x, ch, n.pix[i], want)
			}
		})
	})
}

// The whole frame is itself; half of a line of two halves is one of them, blurred by a quarter at most.
func TestMagnifyOfALine(t *testing.T) {
	for _, tt := range []struct {
		share, left float64
		want        []float32
	}{
		{1, 0.3, []float32{0, 0, 100, 100}},
		{0.5, 0, []float32{0, 0, 0, 25}},
		{0.5, 1, []float32{75, 100, 100, 100}},
		{0.5, 0.5, []float32{0, 25, 75, 100}},
	} {
		n := numbersOf(clips.Clip{Pix: []uint8{0, 0, 100, 100}, Frames: 1, Height: 1, Width: 4, Channels: 1})
		magnify(n, tt.share, 0, tt.left)
		for i, want := range tt.want {
			if !(math.Abs(float64(n.pix[i]-want)) <= 1e-4) {
				t.Errorf("%g from %g: %v, want %v", tt.share, tt.left, n.pix, tt.want)
				break
			}
		}
	}
}

// The shares that zoom draws go from 1 - zoom to 1, and the place from one edge to the other.
func TestZoomDrawsAllSharesAndPlaces(t *testing.T) {
	const size = 100
	least, most, low, high := 1.0, 0.0, 1.0, 0.0
	for seed := range uint64(500) {
		c := clips.NewClip(1, 1, size, 1)
		for x := range size {
			c.Pix[x] = uint8(x)
		}
		n := numbersOf(c)
		zoom(rand.New(rand.NewPCG(seed, 1)), configs.Augment{Zoom: 0.5})(n)
		share := float64(n.pix[size*3/4]-n.pix[size/4]) / (size / 2)
		middle := float64(n.pix[size/2]) / size
		least, most, low, high = min(least, share), max(most, share), min(low, middle), max(high, middle)
	}
	if !(least >= 0.499 && least < 0.51 && most > 0.99 && most <= 1.001 && low < 0.35 && high > 0.65) {
		t.Errorf("shares from %g to %g, middles from %g to %g", least, most, low, high)
	}
}

// apply is one kind with a factor that is known, on a clip of two pixels.
func apply(t *testing.T, change func(*rand.Rand, configs.Augment) func(numbers), a configs.Augment, pix []uint8, channels int) (got []float32, f float32) {
	t.Helper()
	n := numbersOf(clips.Clip{Pix: pix, Frames: 1, Height: 1, Width: len(pix) / channels, Channels: channels})
	change(rand.New(rand.NewPCG(4, 4)), a)(n)
	return n.pix, factor(rand.New(rand.NewPCG(4, 4)), 0.5)
}

func TestColours(t *testing.T) {
	a := configs.Augment{Brightness: 0.5, Contrast: 0.5, Saturation: 0.5}
	pix := []uint8{10, 20, 30, 200, 100, 0}
	grey := []float32{0.299*10 + 0.587*20 + 0.114*30, 0.299*200 + 0.587*100}
	for name, tt := range map[string]struct {
		change func(*rand.Rand, configs.Augment) func(numbers)
		around func(i int) float32 // what values come nearer to, or go away from
	}{
		"brightness": {brightness, func(int) float32 { return 0 }},
		"contrast":   {contrast, func(int) float32 { return (grey[0] + grey[1]) / 2 }},
		"saturation": {saturation, func(i int) float32 { return grey[i/3] }},
	} {
		got, f := apply(t, tt.change, a, pix, 3)
		if !(math.Abs(float64(f)-1) > 0.01 && f >= 0.5 && f <= 1.5) {
			t.Fatalf("a factor of %g says little", f)
		}
		for i, x := range got {
			if want := tt.around(i) + f*(float32(pix[i])-tt.around(i)); !(math.Abs(float64(x-want)) <= 1e-3) {
				t.Errorf("%s: value %d is %g, want %g", name, i, x, want)
			}
		}
	}
}

// Values are rounded to the nearest byte and kept in range, once: a change and its opposite leave no
// trace.
func TestRounding(t *testing.T) {
	n := numbersOf(clips.Clip{Pix: []uint8{0, 1, 2, 3, 4, 255}, Frames: 1, Height: 1, Width: 6, Channels: 1})
	copy(n.pix, []float32{-3, 0.4, 1.5, 2.49, 400, 254.6})
	if got, want := n.round().Pix, []uint8{0, 0, 2, 2, 255, 255}; string(got) != string(want) {
		t.Errorf("%v, want %v", got, want)
	}
	c := noise(5, 1, 4, 4, 1)
	n = numbersOf(c)
	for _, f := range []float32{1.0 / 64, 64} {
		for i := range n.pix {
			n.pix[i] *= f
		}
	}
	if string(n.round().Pix) != string(c.Pix) {
		t.Error("rounded in between")
	}
}
