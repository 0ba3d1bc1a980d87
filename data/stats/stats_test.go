package stats

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mcvd/data/clips"
)

// films are videos whose frames are all alike: a picture for each.
type films struct {
	frames   []int
	pictures []func(y, x, channel int) uint8
}

func (f films) Len() int          { return len(f.frames) }
func (f films) Name(i int) string { return fmt.Sprintf("film %d", i) }
func (f films) Frames(i int) int  { return f.frames[i] }
func (f films) FPS(i int) float64 { return float64(10 + i) }

func (f films) Clip(i, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(f, i, start, frames); err != nil {
		return clips.Clip{}, err
	}
	c := clips.NewClip(frames, 16, 18, 3)
	for k := range c.Pix {
		pixel := k / 3 % (16 * 18)
		c.Pix[k] = f.pictures[i](pixel/18, pixel%18, k%3)
	}
	return c, nil
}

func flat(v uint8) func(y, x, channel int) uint8 { return func(int, int, int) uint8 { return v } }

func checkers(period, shift int) func(y, x, channel int) uint8 {
	return func(y, x, _ int) uint8 { return uint8(200 * ((x/period + y/period + shift) % 2)) }
}

func TestASplitIsCounted(t *testing.T) {
	s, err := Of(context.Background(), clips.Test, films{[]int{5, 30, 7, 6}, []func(y, x, channel int) uint8{flat(10), flat(20), flat(30),
		func(_, _, channel int) uint8 { return uint8(40 + channel) }}}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if s.Videos != 4 || s.Sampled != 4 || s.Frames.Total != 48 || s.Frames.Least != 5 || s.Frames.Greatest != 30 || s.Frames.Median != 7 ||
		s.FPS != [2]float64{10, 13} || s.Height != 16 || s.Width != 18 || s.Channels != 3 {
		t.Errorf("%+v", s)
	}
	count := 0
	for i, b := range s.Frames.Histogram {
		if count += b.Count; i > 0 && b.From != s.Frames.Histogram[i-1].To+1 {
			t.Errorf("bars %v", s.Frames.Histogram)
		}
	}
	if count != 4 {
		t.Errorf("%d videos in the bars %v", count, s.Frames.Histogram)
	}
	for ch := range 3 {
		mean := (10 + 20 + 30 + 40 + float64(ch)) / 4
		square := (100 + 400 + 900 + math.Pow(40+float64(ch), 2)) / 4
		if !(math.Abs(s.Mean[ch]-mean) <= 1e-9) || !(math.Abs(s.Deviation[ch]-math.Sqrt(square-mean*mean)) <= 1e-9) {
			t.Errorf("channel %d: mean %g and deviation %g, want %g and %g", ch, s.Mean[ch], s.Deviation[ch], mean, math.Sqrt(square-mean*mean))
		}
	}
	path := filepath.Join(t.TempDir(), "lengths.png")
	if err := Plot(path, []Split{s, s}); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if picture, err := png.Decode(file); err != nil || picture.Bounds().Dx() < 600 {
		t.Errorf("the plot: %v, %v", picture, err)
	}
}

// A brighter copy is found in another split; other pictures, flat ones of another brightness among
// them, are not.
func TestVideosThatLookAlikeAreFound(t *testing.T) {
	brighter := func(y, x, channel int) uint8 { return checkers(5, 0)(y, x, channel) + 3 }
	of := func(name clips.Split, pictures ...func(y, x, channel int) uint8) Split {
		frames := make([]int, len(pictures))
		for i := range frames {
			frames[i] = 8
		}
		s, err := Of(context.Background(), name, films{frames, pictures}, 100)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	splits := []Split{of(clips.Train, checkers(5, 0), checkers(3, 0), flat(0), flat(100)), of(clips.Test, checkers(5, 1), brighter, flat(50), flat(51))}
	pairs, between, within := Duplicates(splits, 10)
	if between != 1 || within != 1 || len(pairs) != 2 || pairs[0] != (Alike{"film 0", clips.Train, "film 1", clips.Test}) ||
		pairs[1] != (Alike{"film 2", clips.Test, "film 3", clips.Test}) {
		t.Errorf("%d between and %d within splits: %v", between, within, pairs)
	}
	if pairs, between, within := Duplicates(splits, 1); len(pairs) != 1 || between != 1 || within != 1 {
		t.Errorf("of one pair: %v, %d and %d in all", pairs, between, within)
	}
}

func TestAContextEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := Of(ctx, clips.Train, films{[]int{3}, []func(y, x, channel int) uint8{flat(1)}}, 1); !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
}
