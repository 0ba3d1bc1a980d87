package data

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/data/clips"
)

// numbered is a data set whose pixels say which frame of which video they are of.
type numbered struct{ lengths []int }

func (d numbered) Len() int         { return len(d.lengths) }
func (d numbered) Name(int) string  { return "numbered" }
func (d numbered) Frames(i int) int { return d.lengths[i] }
func (d numbered) FPS(int) float64  { return 30 }
func (d numbered) Clip(video, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, video, start, frames); err != nil {
		return clips.Clip{}, err
	}
	c := clips.NewClip(frames, 1, 2, 1)
	for k := range frames {
		c.Pix[2*k], c.Pix[2*k+1] = uint8(video), uint8(start+k)
	}
	return c, nil
}

// Wherever clips are cut, frame k is the k-th stride after the start, and every place that is chosen
// lies within the video.
func TestAStrideTakesEveryNthFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stride, frames := rapid.IntRange(2, 5).Draw(t, "stride"), rapid.IntRange(1, 5).Draw(t, "frames")
		span := (frames-1)*stride + 1
		ds := strided{numbered{rapid.SliceOfN(rapid.IntRange(span, 60), 1, 4).Draw(t, "lengths")}, stride}
		c := experiment(rapid.Uint64().Draw(t, "seed"), 1, frames, false)
		c.Data.Windows = rapid.IntRange(1, 3).Draw(t, "windows")
		b := NewBatches(ds, c, slog.New(slog.DiscardHandler))
		var places []At
		for i := range 20 {
			s, err := b.Clip(i)
			if err != nil {
				t.Fatal(err)
			}
			places = append(places, s.At, Fixed(ds, c.Seed, i, frames), Spread(ds, c.Seed, i, 20, frames))
		}
		places = slices.AppendSeq(places, Windows(ds, frames, 1))
		for _, at := range places {
			clip, err := Cut(ds, at, frames)
			if err != nil || clip.Frames != frames {
				t.Fatalf("%v: %d frames, %v", at, clip.Frames, err)
			}
			for k := range frames {
				if int(clip.Pix[2*k]) != at.Video || int(clip.Pix[2*k+1]) != at.Start+k*stride {
					t.Fatalf("%v, frame %d is number %d", at, k, clip.Pix[2*k+1])
				}
			}
		}
		for v, n := range ds.Dataset.(numbered).lengths {
			if got := len(slices.DeleteFunc(slices.Collect(Windows(ds, frames, 1)), func(at At) bool { return at.Video != v })); got != n-span+1 {
				t.Fatalf("%d places in %d frames, want %d", got, n, n-span+1)
			}
			if _, err := ds.Clip(v, n-span+1, frames); err == nil || !strings.Contains(err.Error(), "want some of") {
				t.Fatalf("a clip behind the end: %v", err)
			}
		}
		if got := clips.FPS(ds, 0); got != 30/float64(stride) {
			t.Fatalf("%g frames a second", got)
		}
	})
}

// Open leaves out what is too short for a clip with its stride, and the rate is that of a clip.
func TestOpenWithAStride(t *testing.T) {
	c := configs.Default()
	c.Data.Name, c.Data.Size, c.Data.Stride = "digits", 32, 3
	ds, err := Open(context.Background(), c, clips.Test, 4, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.Data.Stride = 1
	all, err := Open(context.Background(), c, clips.Test, 10, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := all.Clip(5, 2, 10)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ds.Clip(5, 2, 4); err != nil || !slices.Equal(got.Pix, whole.Every(0, 4, 3).Pix) || slices.Equal(got.Pix, whole.Slice(0, 4).Pix) {
		t.Errorf("not every third frame, %v", err)
	}
}

// Several windows of a video come in each epoch, every one once; even ones lie at equal distances from
// the first start to the last.
func TestWindowsOfAnEpoch(t *testing.T) {
	ds := numbered{[]int{13, 8, 5, 30}}
	for _, tt := range []struct {
		windows int
		even    bool
		want    [4][]int // starts by video, sorted, if even
	}{
		{1, true, [4][]int{{0}, {0}, {0}, {0}}},
		{3, true, [4][]int{{0, 4, 8}, {0, 1, 3}, {0, 0, 0}, {0, 12, 25}}},
		{4, false, [4][]int{}},
	} {
		c := experiment(3, 2, 5, true)
		c.Data.Windows = tt.windows
		if tt.even {
			c.Data.Start = "even"
		}
		b := NewBatches(ds, c, slog.New(slog.DiscardHandler))
		var orders [2][]At
		for epoch := range 2 {
			var starts [4][]int
			for k := range 4 * tt.windows {
				s, err := b.Clip(epoch*4*tt.windows + k)
				if err != nil {
					t.Fatal(err)
				}
				starts[s.Video] = append(starts[s.Video], s.Start)
				orders[epoch] = append(orders[epoch], s.At)
			}
			for v := range starts {
				slices.Sort(starts[v])
				if len(starts[v]) != tt.windows || tt.even && !slices.Equal(starts[v], tt.want[v]) {
					t.Errorf("%d windows, even: %t, epoch %d, video %d: starts %v, want %v", tt.windows, tt.even, epoch, v, starts[v], tt.want[v])
				}
			}
		}
		if tt.windows > 1 && slices.Equal(orders[0], orders[1]) {
			t.Errorf("%d windows: two epochs have one order", tt.windows)
		}
	}
}
