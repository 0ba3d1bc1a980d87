package eval

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/data/clips"
	"mcvd/data/video"
	"mcvd/models/backend/backendtest"
)

// writeRising writes a video of n frames whose levels of grey rise by 10 from the given one on, 5 a
// second.
func writeRising(t *testing.T, name string, level, n int) string {
	t.Helper()
	c := clips.NewClip(n, 4, 4, 1)
	for i := range c.Pix {
		c.Pix[i] = uint8(level + 10*(i/c.FrameSize()))
	}
	path := filepath.Join(t.TempDir(), name)
	if err := video.WriteClip(context.Background(), path, c, video.WriterOptions{FPS: 5, Quality: video.Lossless}); err != nil {
		t.Fatal(err)
	}
	return path
}

// levels are the frames' levels of grey.
func levels(c clips.Clip) string {
	var out []string
	for i := range c.Frames {
		out = append(out, fmt.Sprint(c.Slice(i, i+1).Pix[0]))
	}
	return strings.Join(out, " ")
}

// Given and real frames of own videos are where --start says, before it for retrodiction, at the
// experiment's frame rate.
func TestOwnVideos(t *testing.T) {
	path := writeRising(t, "own.mp4", 0, 25)
	for _, tt := range []struct {
		name               string
		task               Task
		frames             int
		fps, start         float64
		past, real, future string
		wantFPS            float64
		stride             int
	}{
		{"predict", Predict, 3, 0, 2, "100 110", "120 130 140", "", 5, 1},
		{"predict, more than there is", Predict, 30, 0, 2, "100 110", "", "", 5, 1},
		{"interpolate", Interpolate, 3, 0, 2, "100 110", "120 130 140", "150 160", 5, 1},
		{"retrodict", Retrodict, 3, 0, 2, "", "70 80 90", "100 110", 5, 1},
		{"retrodict from between two frames", Retrodict, 3, 0, 1.93, "", "70 80 90", "100 110", 5, 1},
		{"retrodict from the third frame", Retrodict, 2, 0, 0.4, "", "0 10", "20 30", 5, 1},
		{"retrodict more than there is before", Retrodict, 3, 0, 0.4, "", "", "20 30", 5, 1},
		{"retrodict from the beginning", Retrodict, 3, 0, 0, "", "", "0 10", 5, 1},
		{"predict at half the rate", Predict, 2, 2.5, 2, "100 120", "140 160", "", 2.5, 1},
		{"retrodict at half the rate", Retrodict, 2, 2.5, 2, "", "60 80", "100 120", 2.5, 1},
		{"predict every other frame", Predict, 2, 0, 2, "100 120", "140 160", "", 2.5, 2},
		{"predict every third frame", Predict, 2, 0, 2.2, "110 140", "170 200", "", 5.0 / 3, 3},
		{"retrodict every other frame", Retrodict, 2, 0, 2, "", "60 80", "100 120", 2.5, 2},
		{"retrodict every third frame from an odd one", Retrodict, 3, 0, 2.2, "", "20 50 80", "110 140", 5.0 / 3, 3},
		{"retrodict every third frame, more than there is", Retrodict, 3, 0, 1.6, "", "", "80 110", 5.0 / 3, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config()
			c.Data.FPS, c.Data.Stride = tt.fps, max(tt.stride, 1)
			j := Job{Task: tt.task, Frames: tt.frames, Advance: 1}
			got, err := OwnVideos(context.Background(), c, j, []string{"none", path}, tt.start)(1)
			if err != nil {
				t.Fatal(err)
			}
			if past, real, future := levels(got.Past), levels(got.Real), levels(got.Future); past != tt.past || real != tt.real || future != tt.future {
				t.Errorf("past %q, real %q, future %q, want %q, %q, %q", past, real, future, tt.past, tt.real, tt.future)
			}
			if got.FPS != tt.wantFPS || got.Video != path || got.Clip != 1 {
				t.Errorf("clip %d of %s, %g frames a second, want 1 of %s, %g", got.Clip, got.Video, got.FPS, path, tt.wantFPS)
			}
		})
	}
	for want, start := range map[string]float64{"1 frames from second 4.8 on, want 2 or more": 4.8, "0 frames from second 9": 9} {
		_, err := OwnVideos(context.Background(), config(), Job{Task: Predict, Frames: 3}, []string{path}, start)(0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A clip is asked for once for all its trajectories, and each video is written in every format,
// beside the real one where that is known.
func TestFilms(t *testing.T) {
	g, err := NewGenerator(backendtest.Open(t), model.NewStore(), counting(t), config().Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var asked []int
	var wrote []string
	f := Films{Job: Job{Task: Predict, Frames: 4, Advance: 3}, Clips: 2, Trajectories: 3, Dir: t.TempDir(), Formats: []string{"png"},
		Source: func(i int) (Case, error) {
			asked = append(asked, i)
			c := Case{Clip: i, Past: rising(100+50*i, 2)}
			if i == 1 {
				c.Real = rising(152, 4)
			}
			return c, nil
		}}
	if err := f.Write(context.Background(), g, func(path string) { wrote = append(wrote, filepath.Base(path)) }, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(asked, []int{0, 1}) {
		t.Errorf("clips asked for: %v, want each once", asked)
	}
	want := "predict-0000-00 predict-0000-01 predict-0000-02 predict-0001-00 predict-0001-00-beside " +
		"predict-0001-01 predict-0001-01-beside predict-0001-02 predict-0001-02-beside predict.png"
	if got := strings.Join(wrote, " "); got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
	clip, _, err := decode(context.Background(), filepath.Join(f.Dir, "predict-0001-02"), video.DecodeOptions{Channels: 1, Size: 4}, 1, 6, 6)
	if got := levels(clip); err != nil || got != "150 151 152 153 154 155" {
		t.Errorf("frames %s, %v", got, err)
	}
}

// A film has the rate that is asked for, or its source's, or 10 frames a second, and is enlarged
// for people only.
func TestOptionsOfFilms(t *testing.T) {
	for _, tt := range []struct {
		f      Films
		source float64
		fps    float64
		scale  int
	}{
		{Films{}, 5, 5, 32},
		{Films{FPS: 3, Scale: 2}, 5, 3, 2},
		{Films{Quality: video.Lossless}, 0, 10, 0},
	} {
		o := tt.f.options(&film{Case: Case{FPS: tt.source}, height: 4, width: 6})
		if o.FPS != tt.fps || o.Scale != tt.scale {
			t.Errorf("%+v of %g frames a second: %+v, want %g, scale %d", tt.f, tt.source, o, tt.fps, tt.scale)
		}
	}
}

// Videos made of nothing are as fast as those that the model learned from.
func TestGeneratedVideosHaveTheRateOfTheData(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "train"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(writeRising(t, "a.mp4", 0, 5), filepath.Join(dir, "train", "a.mp4")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]float64{dir: 5, filepath.Join(dir, "gone"): 0} {
		c := config()
		c.Data.Name, c.Data.Path = "folder", path
		source, err := TestClips(context.Background(), c, 1, Job{Task: Generate, Frames: 3, Advance: 3}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if got, err := source(i); err != nil || got.Clip != i || got.FPS != want {
				t.Errorf("%s, clip %d: %g frames a second, error %v, want %g", path, got.Clip, got.FPS, err, want)
			}
		}
	}
}
