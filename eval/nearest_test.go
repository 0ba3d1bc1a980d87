package eval

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"mcvd/data/augment"
	"mcvd/data/clips"
)

// noiseSet has videos of noise, 3x2 pixels, of different lengths.
type noiseSet struct{ videos, frames int }

func (s noiseSet) Len() int         { return s.videos }
func (noiseSet) Name(i int) string  { return fmt.Sprint("v", i) }
func (s noiseSet) Frames(i int) int { return s.frames + i }
func (s noiseSet) whole(i int) (c clips.Clip) {
	c = clips.NewClip(s.Frames(i), 2, 3, 1)
	rng := rand.New(rand.NewPCG(uint64(i), 5))
	for k := range c.Pix {
		c.Pix[k] = uint8(rng.Uint32())
	}
	return c
}

func (s noiseSet) Clip(i, start, frames int) (clips.Clip, error) {
	return s.whole(i).Slice(start, start+frames), clips.CheckRange(s, i, start, frames)
}

// The nearest clip is the one that a video was made of by adding a known distance, wherever it lies,
// and also if it was mirrored.
func TestNearest(t *testing.T) {
	ds := noiseSet{5, 6}
	near := func(video, start int, mirrored bool) clips.Clip {
		c, err := ds.Clip(video, start, 4)
		if err != nil {
			t.Fatal(err)
		}
		if mirrored {
			c = augment.Mirror(c)
		}
		out := clips.NewClip(c.Frames, c.Height, c.Width, c.Channels)
		for k, v := range c.Pix {
			out.Pix[k] = v ^ 2 // two levels away
		}
		return out
	}
	videos := []clips.Clip{near(0, 0, false), near(4, 6, false), near(2, 3, true), near(3, 1, false)}
	found, s, err := Nearest(context.Background(), ds, 1, videos, 1000, true)
	if err != nil || s != (Search{25, 25}) {
		t.Fatalf("search %+v, %v, want all 25 clips", s, err)
	}
	for i, want := range []Neighbour{{Video: "v0"}, {Video: "v4", Start: 6}, {Video: "v2", Start: 3, Mirrored: true}, {Video: "v3", Start: 1}} {
		got := found[i]
		if got.Video != want.Video || got.Start != want.Start || got.Mirrored != want.Mirrored || !(math.Abs(got.RMS-2) <= 1e-12) {
			t.Errorf("video %d: %s at %d, mirrored %v, %g away; want %s at %d, %v, 2", i, got.Video, got.Start, got.Mirrored, got.RMS, want.Video, want.Start, want.Mirrored)
		}
	}
	if found, _, err := Nearest(context.Background(), ds, 1, videos[2:3], 1000, false); err != nil || found[0].Mirrored || !(found[0].RMS > 10) {
		t.Errorf("without mirrored clips: %+v, %v", found, err)
	}
}

// It looks at no more clips than it may, also of videos that have no end.
func TestNearestLooksAtSoManyClips(t *testing.T) {
	videos := []clips.Clip{clips.NewClip(4, 4, 4, 1)}
	found, s, err := Nearest(context.Background(), rampSet{1}, 1, videos, 17, false)
	if err != nil || s.Looked != 17 || s.All != 0 || !(math.Abs(found[0].RMS-math.Sqrt((100*100+101*101+102*102+103*103)/4.0)) <= 1e-9) {
		t.Errorf("%+v, %+v, %v, want 17 clips of more", found, s, err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Nearest(ended, rampSet{1}, 1, videos, 17, false); err == nil {
		t.Error("it goes on after the end of its context")
	}
	if _, _, err := Nearest(context.Background(), noiseSet{2, 6}, 1, videos, 17, false); err == nil {
		t.Error("frames of other sizes are compared")
	}
}
