package metric

import (
	"math"
	"math/rand/v2"
	"testing"

	"mcvd/data/clips"
)

// A mosaic has the mean of each cell, also where cells are not equally large, and frames smaller
// than the mosaic as they are.
func TestMosaic(t *testing.T) {
	c := clips.NewClip(2, 3, 17, 3) // 3 rows, 8 columns, the last one of 3 pixels
	for i := range c.Pix {
		x := i / 3 % 17
		c.Pix[i] = uint8(10*x + i%3)
	}
	got := mosaic(c)
	if want := 2 * 3 * 8 * 3; len(got) != want {
		t.Fatalf("%d numbers, want %d", len(got), want)
	}
	for i, v := range got {
		channel, column := i%3, i/3%8
		mean := 10*(2*float64(column)+0.5) + float64(channel)
		if column == 7 {
			mean = 150 + float64(channel) // of 14, 15 and 16
		}
		if want := mean/127.5 - 1; !(math.Abs(float64(v)-want) <= 1e-6) {
			t.Fatalf("number %d: %g, want %g", i, v, want)
		}
	}
}

// Made clips like the real ones are nearer to them than clips that are all alike, brighter, or run
// backwards.
func TestMMDSeesWhatItShould(t *testing.T) {
	sets, err := openMMD(Needs{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	// A bright square that moves right from a random place.
	clip := func(reverse bool, light uint8) clips.Clip {
		c := clips.NewClip(4, 16, 16, 1)
		x0, y0 := rng.IntN(8), rng.IntN(12)
		for k := range 4 {
			at := k
			if reverse {
				at = 3 - k
			}
			for i := range 16 {
				c.Slice(at, at+1).Pix[(y0+i/4)*16+x0+k+i%4] = light
			}
		}
		return c
	}
	features := func(n int, draw func() clips.Clip) [][]float32 {
		list := make([]clips.Clip, n)
		for i := range list {
			list[i] = draw()
		}
		rows, err := sets.Features(list)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	real := features(60, func() clips.Clip { return clip(false, 250) })
	distance := func(made [][]float32) float64 {
		d, err := KID(real, made)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	same := distance(features(60, func() clips.Clip { return clip(false, 250) }))
	one := clip(false, 250)
	for name, made := range map[string][][]float32{
		"all alike": features(60, func() clips.Clip { return one }),
		"darker":    features(60, func() clips.Clip { return clip(false, 120) }),
		"backwards": features(60, func() clips.Clip { return clip(true, 250) }),
	} {
		if got := distance(made); !(got > 3*math.Abs(same)) {
			t.Errorf("%s: %.5f, want more than 3 times the %.5f of clips like the real ones", name, got, same)
		}
	}
}
