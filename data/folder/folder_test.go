package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/video"
)

// ffmpegRun makes test files with the ffmpeg command.
func ffmpegRun(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is not installed: scripts/install-ffmpeg.sh installs it")
	}
	args = append([]string{"-nostdin", "-loglevel", "error", "-y"}, args...)
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
}

// steps makes a lossless video whose frame i has the grey 10 i, and returns its path.
func steps(t *testing.T, path string, frames int) string {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is not installed: scripts/install-ffmpeg.sh installs it")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	c := clips.NewClip(frames, 24, 32, 1)
	for i := range c.Pix {
		c.Pix[i] = uint8(i / c.FrameSize() * 10)
	}
	if err := video.WriteClip(context.Background(), path, c, video.WriterOptions{FPS: 10, Quality: video.Lossless}); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func config(root string, options configs.Options) *configs.Config {
	c := configs.Default()
	c.Data.Path, c.Data.Size, c.Data.Options = root, 16, options
	return c
}

// open opens with a log that is returned.
func open(c *configs.Config, split clips.Split, frames int) (*decoded.Dataset, string, error) {
	var log bytes.Buffer
	d, err := Open(context.Background(), c, split, frames, slog.New(slog.NewTextHandler(&log, nil)))
	return d, log.String(), err
}

func mustOpen(t *testing.T, c *configs.Config, split clips.Split, frames int) (*decoded.Dataset, string) {
	t.Helper()
	d, log, err := open(c, split, frames)
	if err != nil {
		t.Fatal(err)
	}
	return d, log
}

func names(d *decoded.Dataset) (out []string) {
	for i := range d.Len() {
		out = append(out, d.Name(i))
	}
	return out
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want one with %q", err, part)
		}
	}
}

// all are options under which every video is for training.

var all = configs.Options{"valid": 0.0, "test": 0.0}

// hideFFmpeg makes a call of ffmpeg an error.
func hideFFmpeg(t *testing.T) { t.Setenv("PATH", t.TempDir()) }

func TestClipsAreCutFromTheCacheWithoutFFmpeg(t *testing.T) {
	root := t.TempDir()
	steps(t, filepath.Join(root, "a.mp4"), 8)
	steps(t, filepath.Join(root, "deep", "er", "b.gif"), 12)
	_, log := mustOpen(t, config(root, all), clips.Train, 5)
	if !strings.Contains(log, "decoding videos") {
		t.Errorf("the log doesn't mention decoding: %s", log)
	}
	hideFFmpeg(t)
	d, log := mustOpen(t, config(root, all), clips.Train, 5)
	if strings.Contains(log, "decoding") {
		t.Errorf("decoding again: %s", log)
	}
	if got := names(d); !slices.Equal(got, []string{"a.mp4", "deep/er/b.gif"}) || d.Frames(0) != 8 || d.Frames(1) != 12 {
		t.Errorf("%q with %d and %d frames", got, d.Frames(0), d.Frames(1))
	}
	for start := range 4 {
		clip, err := d.Clip(0, start, 5)
		if err != nil {
			t.Fatal(err)
		}
		for f := range 5 {
			if got, want := clip.Slice(f, f+1).Pix[7], uint8(10*(start+f)); got != want {
				t.Fatalf("frame %d from frame %d on: %d, want %d", f, start, got, want)
			}
		}
	}
	whole, err := d.Clip(0, 0, d.Frames(0))
	if err != nil || whole.Frames != 8 || whole.Pix[len(whole.Pix)-1] != 70 {
		t.Errorf("whole video: %d frames, %v", whole.Frames, err)
	}
	_, err = d.Clip(0, 4, 5)
	wantError(t, err, "frames 4 to 8: want some of 0 to 7")
	_, err = d.Clip(2, 0, 5)
	wantError(t, err, "video 2: want 0 to 1")
}

func TestImageFolders(t *testing.T) {
	root := t.TempDir()
	for i := range 11 {
		img := image.NewGray(image.Rect(0, 0, 20, 20))
		for j := range img.Pix {
			img.Pix[j] = uint8(10 * i)
		}
		var out bytes.Buffer
		if err := png.Encode(&out, img); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, "walk", fmt.Sprintf("f%d.png", i)), out.String())
	}
	hideFFmpeg(t) // not needed for images
	d, _ := mustOpen(t, config(root, all), clips.Train, 11)
	clip, err := d.Clip(0, 0, 11)
	if err != nil || d.Name(0) != "walk" {
		t.Fatalf("%q, %v", d.Name(0), err)
	}
	for f := range 11 {
		if got := clip.Slice(f, f+1).Pix[0]; got != uint8(10*f) {
			t.Errorf("frame %d is %d, want %d", f, got, 10*f)
		}
	}
	if got := d.FPS(0); got != 0 {
		t.Errorf("%g frames a second, which nobody said", got)
	}
	c := config(root, all)
	c.Data.FPS = 5
	_, _, err = open(c, clips.Train, 2)
	wantError(t, err, "walk: data.fps is 5, but images don't say how many a second they are: set data.options.image_fps")
	c.Data.Options = configs.Options{"valid": 0.0, "test": 0.0, "image_fps": 10.0}
	if d, _ := mustOpen(t, c, clips.Train, 6); d.Frames(0) != 6 || d.FPS(0) != 5 {
		t.Errorf("half of 11 images at 10 a second: %d at %g, want 6 at 5", d.Frames(0), d.FPS(0))
	} else if clip, err := d.Clip(0, 4, 2); err != nil || clip.Pix[0] != 80 || clip.Pix[len(clip.Pix)-1] != 100 {
		t.Errorf("frames 4 and 5 are %d and %d, %v, want 80 and 100", clip.Pix[0], clip.Pix[len(clip.Pix)-1], err)
	}
	os.Remove(filepath.Join(root, "walk", "f10.png"))
	if d, _ := mustOpen(t, config(root, all), clips.Train, 5); d.Frames(0) != 10 {
		t.Errorf("%d frames after one was removed, want 10", d.Frames(0))
	}
}

// Everything at once that a folder from the wild may hold.

func TestAMessyFolder(t *testing.T) {
	root := t.TempDir()
	good := steps(t, filepath.Join(root, "good.mp4"), 6)
	steps(t, filepath.Join(root, "one-frame.mp4"), 1)
	steps(t, filepath.Join(root, ".hidden.mp4"), 6)
	steps(t, filepath.Join(root, ".folder", "a.mp4"), 6)
	steps(t, filepath.Join(root, "dir.mp4", "inside.mp4"), 6)
	ffmpegRun(t, "-i", good, "-c", "copy", "-metadata:s:v", "rotate=90", filepath.Join(root, "portrait.mov"))
	ffmpegRun(t, "-f", "lavfi", "-i", "sine=duration=0.2", filepath.Join(root, "sound.mp4"))
	write(t, filepath.Join(root, "text.mp4"), "not a video")
	write(t, filepath.Join(root, "zero.mp4"), "")
	write(t, filepath.Join(root, "notes.txt"), "ignored")
	write(t, filepath.Join(root, "images", "1.png"), "not an image")
	content, _ := os.ReadFile(good)
	write(t, filepath.Join(root, "cut.mp4"), string(content[:len(content)-200]))
	tail := filepath.Join(root, "tail.mp4") // its index is at the end, which is missing
	ffmpegRun(t, "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10", "-frames:v", "20", tail)
	content, _ = os.ReadFile(tail)
	write(t, tail, string(content[:len(content)/2]))
	for link, target := range map[string]string{"loop": ".", "again": "dir.mp4", "dangling.mp4": "nowhere"} {
		if err := os.Symlink(filepath.Join(root, target), filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	reasons := map[string]string{
		"one-frame.mp4": "1 frames, want at least 2",
		"sound.mp4":     "no video in it",
		"text.mp4":      "not a readable video",
		"zero.mp4":      "empty file",
		"images":        "not a readable image",
		"cut.mp4":       "broken after frame",
		"tail.mp4":      "not a readable video",
		"dangling.mp4":  "no such file",
	}
	d, log := mustOpen(t, config(root, all), clips.Train, 2)
	if got, want := names(d), []string{"again/inside.mp4", "dir.mp4/inside.mp4", "good.mp4", "portrait.mov"}; !slices.Equal(got, want) {
		t.Errorf("usable: %q, want %q", got, want)
	}
	for name, reason := range reasons {
		if !slices.ContainsFunc(strings.Split(log, "\n"), func(line string) bool {
			return strings.Contains(line, "level=WARN") && strings.Contains(line, "="+name) && strings.Contains(line, reason)
		}) {
			t.Errorf("no warning says that %s is left out: %s\n%s", name, reason, log)
		}
	}
	if want := fmt.Sprintf("left_out=%d", len(reasons)); !strings.Contains(log, want) || strings.Count(log, "level=WARN") != len(reasons) {
		t.Errorf("want %s and as many warnings:\n%s", want, log)
	}

	c := config(root, all)
	c.Data.OnError = "fail"
	_, _, err := open(c, clips.Train, 2)
	wantError(t, err, "data.on_error")
	for _, name := range []string{"good.mp4", "dir.mp4", "portrait.mov"} {
		os.RemoveAll(filepath.Join(root, name))
	}
	_, _, err = open(config(root, all), clips.Train, 2)
	wantError(t, err, "no usable video for split train: 9 found, 9 left out: ", "; ...")
}

func TestOnErrorFailNamesABrokenVideo(t *testing.T) {
	root := t.TempDir()
	steps(t, filepath.Join(root, "a.mp4"), 6)
	write(t, filepath.Join(root, "b.mp4"), "not a video")
	c := config(root, all)
	c.Data.OnError = "fail"
	_, _, err := open(c, clips.Train, 2)
	wantError(t, err, "b.mp4: ", "not a readable video", "data.on_error: skip would leave it out")
}

func TestErrorsSayHowToFixThem(t *testing.T) {
	root := t.TempDir()
	_, _, err := open(config(root, nil), clips.Train, 2)
	wantError(t, err, "no videos in it")
	path := steps(t, filepath.Join(root, "a.mp4"), 6)
	_, _, err = open(config(path, nil), clips.Train, 2)
	wantError(t, err, "data.path: ", "want a folder of videos")
	_, _, err = open(config(root, configs.Options{"valid": 0.7, "test": 0.7}), clips.Train, 2)
	wantError(t, err, "data.options: valid: 0.7, test: 0.7, want")
	_, _, err = open(config(root, configs.Options{"crop": "middle"}), clips.Train, 2)
	wantError(t, err, `data.options.crop: "middle", want center or whole or squeeze`)
	_, _, err = open(config(root, nil), "dev", 2)
	wantError(t, err, `split: unknown "dev"`)
	options := configs.Options{"valid": 0.0, "test": 0.0, "cache": filepath.Join(path, "cache")} // below a file
	_, _, err = open(config(root, options), clips.Train, 2)
	wantError(t, err, "data.options.cache: ", "set it to a folder that is writable")
	hideFFmpeg(t)
	_, _, err = open(config(root, all), clips.Train, 2)
	wantError(t, err, "apt-get install ffmpeg") // and no list of broken files
}

// The frame rate is that of the first training video that has one, told without decoding anything.
func TestFPS(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "train", "a.mp4"), "no video")
	steps(t, filepath.Join(root, "train", "b.mp4"), 5)
	images := t.TempDir()
	for _, name := range []string{"0.png", "1.png"} {
		write(t, filepath.Join(images, "train", "scene", name), "never read")
	}
	fps := func(c *configs.Config, rate float64) *configs.Config { c.Data.FPS = rate; return c }
	for name, tt := range map[string]struct {
		c    *configs.Config
		want float64
	}{
		"the second file says it": {config(root, nil), 10},
		"resampled":               {fps(config(root, nil), 4), 4},
		"images":                  {config(images, nil), 0},
		"images of a rate":        {config(images, configs.Options{"image_fps": 12.5}), 12.5},
		"no folder":               {config(filepath.Join(root, "none"), nil), 0},
		"an empty folder":         {config(t.TempDir(), nil), 0},
	} {
		if got := FPS(context.Background(), tt.c); got != tt.want {
			t.Errorf("%s: %g frames a second, want %g", name, got, tt.want)
		}
	}
	for _, dir := range []string{root, images} {
		if _, err := os.Stat(filepath.Join(dir, ".mcvd-cache")); err == nil {
			t.Errorf("%s: something was decoded", dir)
		}
	}
}
