package lerobot

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
)

const top, wrist = "observation.images.top", "observation.images.wrist"

// lengths are the numbers of frames of the recording's episodes.
var lengths = []int{7, 12, 5, 9, 6, 8}

// recording is a copy of the recording in testdata, which the lerobot library wrote.
func recording(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join("testdata", "recording"))); err != nil {
		t.Fatal(err)
	}
	return root
}

// edit replaces text in a recording's meta/info.json.
func edit(t *testing.T, root, old, new string) {
	t.Helper()
	path := filepath.Join(root, "meta", "info.json")
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(b, []byte(old)) {
		t.Fatalf("%v, or no %s in it", err, old)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(new), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// whole is a recording of which training has all.
func whole(root, camera string) *configs.Config {
	c := configs.Default()
	c.Data.Path, c.Data.Size, c.Data.Channels = root, 64, 3
	c.Data.Options = configs.Options{"camera": camera, "valid": 0, "test": 0, "crop": "squeeze"}
	return c
}

func open(c *configs.Config, split clips.Split, frames int) (*decoded.Dataset, string, error) {
	var log bytes.Buffer
	d, err := Open(context.Background(), c, split, frames, slog.New(slog.NewTextHandler(&log, nil)))
	return d, log.String(), err
}

func refused(t *testing.T, c *configs.Config, want string) {
	t.Helper()
	if _, log, err := open(c, clips.Train, 2); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s\n%s", err, want, log)
	}
}

// Every frame of every episode is the one that the lerobot library reads, and not its neighbour. They
// are compared by the means of quarters, and not bit for bit, because the library converts colours
// with arithmetic that is less exact: it is up to 2.6 off, where neighbours are 11 apart.
func TestFramesAreThoseOfTheLibrary(t *testing.T) {
	var want map[string][][][]float64
	if b, err := os.ReadFile(filepath.Join("testdata", "frames.json")); err != nil || json.Unmarshal(b, &want) != nil {
		t.Fatalf("frames.json: %v", err)
	}
	for _, camera := range []string{top, wrist} {
		d, _, err := open(whole(recording(t), camera), clips.Train, 5)
		if err != nil || d.Len() != len(lengths) || d.FPS(0) != 10 {
			t.Fatal(err)
		}
		worst := 0.0
		for e, frames := range want[camera] {
			c, err := d.Clip(e, 0, d.Frames(e))
			if err != nil || d.Name(e) != name(e) || c.Frames != lengths[e] || len(frames) != lengths[e] {
				t.Fatalf("%s: %d frames, %v, want %d", d.Name(e), c.Frames, err, lengths[e])
			}
			for i := range frames {
				got := quarters(c.Slice(i, i+1))
				worst = max(worst, distance(got, frames[i]))
				if own := distance(got, frames[i]); !(own <= 3) {
					t.Errorf("%s, %s, frame %d: %g from the library's", camera, name(e), i, own)
				}
				if i > 0 && !(distance(got, frames[i-1]) > 6) {
					t.Errorf("%s, %s, frame %d is like the one before it", camera, name(e), i)
				}
			}
		}
		t.Logf("%s: means differ by up to %.2f of 255", camera, worst)
	}
}

// quarters are the means of a frame's quarters, upper ones first, for each channel.
func quarters(c clips.Clip) (out []float64) {
	h, w := c.Height/2, c.Width/2
	for q := range 4 {
		for channel := range 3 {
			sum := 0.0
			for y := range h {
				for x := range w {
					sum += float64(c.Pix[((y+q/2*h)*c.Width+x+q%2*w)*3+channel])
				}
			}
			out = append(out, sum/float64(h*w))
		}
	}
	return out
}

func distance(a, b []float64) (d float64) {
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i]))
	}
	return d
}

// A recording with training alone gives the others a share of it; splits that it has are its own.
func TestSplits(t *testing.T) {
	root := recording(t)
	c := whole(root, top)
	c.Data.Options = configs.Options{"camera": top}
	var all []string
	for _, split := range clips.Splits() {
		d, _, err := open(c, split, 2)
		if err != nil || d.Len() == 0 {
			t.Fatalf("%s: %v", split, err)
		}
		for i := range d.Len() {
			all = append(all, d.Name(i))
		}
	}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != 6 || len(all) != 6 {
		t.Errorf("%q, want each of six episodes once", all)
	}
	edit(t, root, `"train": "0:6"`, `"train": "1:4", "val": "0:1", "test": "4:6", "spare": "0:2"`)
	for split, want := range map[clips.Split][]string{clips.Train: {name(1), name(2), name(3)}, clips.Valid: {name(0)}, clips.Test: {name(4), name(5)}} {
		d, _, err := open(c, split, 2)
		if err != nil || d.Len() != len(want) || d.Name(0) != want[0] {
			t.Errorf("%s: %v, want %q", split, err, want)
		}
	}
	c.Data.Options = configs.Options{"camera": top, "valid": 0.3}
	refused(t, c, "data.options.valid: 0.3 has no effect because meta/info.json has a split for it")
	c.Data.Options = configs.Options{"camera": top}
	edit(t, root, `"4:6"`, `"3:6"`)
	refused(t, c, "has episodes of split test, too")
	edit(t, root, `"3:6"`, `"4:7"`)
	refused(t, c, `splits: test: "4:7", want a range such as 0:6 within the 6 episodes`)
	edit(t, root, `"train": "1:4"`, `"training": "1:4"`)
	edit(t, root, `"4:7"`, `"4:6"`)
	refused(t, c, "want train")
}

func TestTheCameraIsChosen(t *testing.T) {
	root := recording(t)
	refused(t, whole(root, ""), "none is chosen, and the recording has 2: want "+top+", "+wrist)
	refused(t, whole(root, "top"), `unknown "top", want `+top+", "+wrist)
	depth := `"video.is_depth_map": false`
	edit(t, root, depth, `"video.is_depth_map": true`)
	if d, _, err := open(whole(root, ""), clips.Train, 2); err != nil || d.Len() != 6 {
		t.Errorf("the only camera besides a depth map: %v", err)
	}
	edit(t, root, depth, `"is_depth_map": true`)
	refused(t, whole(root, ""), "no camera in features")
	edit(t, root, `"dtype": "video"`, `"dtype": "image"`)
	refused(t, whole(root, top), "as images in Parquet, which are not read")
}

func TestOtherRecordingsAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"v3.0"`, `"v2.1"`, "v2.1, want v3.0: convert the recording with LeRobot's script convert_dataset_v21_to_v30"},
		{`"v3.0"`, `"v4.0"`, `codebase_version: "v4.0", want v3.0`},
		{`"fps": 10`, `"fps": 0`, "fps: 0, want above 0"},
		{`"fps": 10`, `"fps": 11`, "10 frames a second, want the 11 of meta/info.json"},
		{`"total_episodes": 6`, `"total_episodes": 7`, "6 episodes or more in 1 files, want the 7"},
		{`"total_episodes": 6`, `"total_episodes": -1`, "total_episodes: -1, want 1 to"},
		{`"total_episodes": 6`, `"total_episodes": 5`, "6 episodes or more in 1 files, want the 5"}, // before lists of so many are made
		{`"videos/{video_key}`, `"../{video_key}`, "below the recording"},
		{`{file_index:03d}.mp4`, `{file:03d}.mp4`, "below the recording"},
		{`{`, `[`, "info.json"},
	} {
		root := recording(t)
		edit(t, root, c.old, c.new)
		refused(t, whole(root, top), c.want)
	}
	refused(t, whole(t.TempDir(), top), "want the folder of a LeRobot recording")
}

// What is missing or damaged is named; the index is never taken for less than it is.
func TestDamage(t *testing.T) {
	root := recording(t)
	c := whole(root, top)
	index := filepath.Join(root, "meta", "episodes", "chunk-000", "file-000.parquet")
	film := filepath.Join(root, "videos", top, "chunk-000", "file-000.mp4")
	good, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(filepath.Dir(index), "file-001.parquet"), good, 0o644)
	refused(t, c, "episode 0 comes where episode 1 belongs")
	os.Remove(filepath.Join(filepath.Dir(index), "file-001.parquet"))
	os.WriteFile(index, good[:len(good)-100], 0o644)
	refused(t, c, index+": cut off, or no Parquet file")
	os.Remove(index)
	refused(t, c, "0 episodes or more in 0 files, want the 6")
	os.WriteFile(index, good, 0o644)

	// A video that ends before its episodes do: those that it holds are read.
	short := whole(root, top)
	os.Rename(film, film+".whole")
	cut(t, film+".whole", film, 20)
	d, log, err := open(short, clips.Train, 2)
	if err != nil || d.Len() != 2 || !strings.Contains(log, "file=episode_000002") || !strings.Contains(log, "left_out=4") {
		t.Errorf("%v, want two episodes and four that are left out\n%s", err, log)
	}
	short.Data.OnError = "fail"
	refused(t, short, "ends 4 frames before it does")
	os.Remove(film)
	refused(t, c, "no usable video for split train")
}
