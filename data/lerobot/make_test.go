package lerobot

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/video"
)

// cut copies the first frames of a video.
func cut(t *testing.T, from, to string, frames int) {
	t.Helper()
	c := clips.NewClip(frames, 64, 64, 3)
	i := 0
	_, err := video.Decode(context.Background(), from, video.DecodeOptions{Channels: 3, MaxFrames: frames}, func(pix []uint8) error {
		copy(c.Slice(i, i+1).Pix, pix)
		i++
		return nil
	})
	if err != nil || i != frames {
		t.Fatal(err)
	}
	writeFilm(t, to, c, 10)
}

func writeFilm(t *testing.T, path string, c clips.Clip, fps float64) {
	t.Helper()
	if err := video.WriteClip(context.Background(), path, c, video.WriterOptions{FPS: fps, Quality: video.Lossless}); err != nil {
		t.Fatal(err)
	}
}

// Whatever the rate, no frame of an episode is one of its neighbours'. Between episodes of which each
// has a grey of its own, that is to be seen.
func TestResamplingStaysInTheEpisode(t *testing.T) {
	root := recording(t)
	film := clips.NewClip(47, 64, 64, 3)
	first := 0
	for e, n := range lengths {
		episode := film.Slice(first, first+n)
		for i := range episode.Pix {
			episode.Pix[i] = uint8(20 + 40*e)
		}
		first += n
	}
	writeFilm(t, filepath.Join(root, "videos", top, "chunk-000", "file-000.mp4"), film, 10)
	for _, fps := range []float64{3, 4, 5, 7, 10, 12, 20, 25, 29.97} {
		c := whole(root, top)
		c.Data.FPS, c.Data.Size, c.Data.Channels = fps, 8, 1
		d, log, err := open(c, clips.Train, 1)
		if err != nil || d.Len() != 6 || FPS(context.Background(), c) != fps {
			t.Fatalf("%g a second: %v\n%s", fps, err, log)
		}
		for e, n := range lengths {
			want := float64(n) / 10 * fps
			if got := float64(d.Frames(e)); !(math.Abs(got-want) <= 2) || e == 1 && got < want-1 {
				t.Errorf("%g a second: %s has %g frames, want about %g", fps, name(e), got, want)
			}
			clip, err := d.Clip(e, 0, d.Frames(e))
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range clip.Pix {
				if diff := math.Abs(float64(p) - float64(20+40*e)); !(diff <= 2) {
					t.Fatalf("%g a second: %s, frame %d: grey %d is another episode's", fps, name(e), i/64, p)
				}
			}
		}
	}
	if FPS(context.Background(), whole(root, top)) != 10 || FPS(context.Background(), configs.Default()) != 0 {
		t.Error("want the rate of the recording, and 0 where there is none")
	}
}

// An index in which two episodes share frames, or in which times don't fit, is not believed.
func TestIndexesThatContradictThemselves(t *testing.T) {
	root := recording(t)
	edit(t, root, `"`+top+`"`, `"k"`)
	if err := os.Rename(filepath.Join(root, "videos", top), filepath.Join(root, "videos", "k")); err != nil {
		t.Fatal(err)
	}
	var zero int64
	all := make([]row, len(lengths))
	begin := 0.0
	for i, n := range lengths {
		all[i] = row{Episode: int32(i), Length: int64(n), Chunk: &zero, From: begin, To: float32(begin + float64(n)/10)}
		begin += float64(n) / 10
	}
	write := func() {
		t.Helper()
		err := os.WriteFile(filepath.Join(root, "meta", "episodes", "chunk-000", "file-000.parquet"), index(t, all), 0o644)
		if err != nil {
			t.Fatal(err)
		}
	}
	write()
	if d, _, err := open(whole(root, "k"), clips.Train, 2); err != nil || d.Len() != 6 {
		t.Fatal(err)
	}
	all[3].From, all[3].To = all[3].From-0.1, all[3].To-0.1
	write()
	refused(t, whole(root, "k"), "episode_000002 and episode_000003 both have frame 23 of videos/k/chunk-000/file-000.mp4")
	all[3].From = all[3].From - 0.2
	write()
	c := whole(root, "k")
	c.Data.OnError = "fail"
	refused(t, c, "episode_000003: its times in the video don't fit its frames: 9 frames at 10 a second")
}

// Without a loss at the ends: a rate that is a multiple keeps all frames.
func TestSpans(t *testing.T) {
	e := episode{frames: 12, from: 0.7, to: 1.9}
	for _, c := range []struct {
		rate float64
		want span
	}{{10, span{7, 19}}, {20, span{14, 38}}, {5, span{4, 9}}, {1, span{1, 2}}} {
		if got, err := e.span(10, c.rate); err != nil || got != c.want {
			t.Errorf("at %g a second: %v, %v, want %v", c.rate, got, err, c.want)
		}
	}
	if _, err := e.span(11, 11); err == nil {
		t.Error("12 frames in 13.2 times: no error")
	}
}
