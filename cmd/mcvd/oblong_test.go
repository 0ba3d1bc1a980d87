package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/data/clips"
	"mcvd/data/video"
)

// Frames that are not square go all the way: films to clips, a training with samples, a store, an
// evaluation, and videos.
func TestFramesThatAreNotSquare(t *testing.T) {
	inNewFolder(t)
	c := clips.NewClip(12, 20, 44, 3)
	for i := range c.Pix {
		c.Pix[i] = uint8(i / 3 % 44 * 5)
	}
	for _, name := range []string{"a", "b", "c"} {
		for _, split := range []string{"train", "valid", "test"} {
			if err := os.MkdirAll(filepath.Join("films", split), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := video.WriteClip(context.Background(), filepath.Join("films", split, name+".mp4"), c, video.WriterOptions{FPS: 10}); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := "base: configs/tiny.yml\ndata: {name: folder, path: films, size: [16, 32], channels: 3}\n" +
		"train: {steps: 4, checkpoint_every: 4, validate_every: 4, sample_every: 4, batch: 2}\n"
	if err := os.WriteFile("oblong.yml", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	ok := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := call(t, args...)
		if status != 0 {
			t.Fatalf("mcvd %s: status %d: %s", strings.Join(args, " "), status, stderr)
		}
		return stdout
	}
	ok("data", "peek", "-c", "oblong.yml", "-o", "peek.png", "--clips", "1")
	ok("train", "-c", "oblong.yml", "-o", "run", "--backend", "go")
	ok("eval", "run", "--backend", "go", "--clips", "2", "--metrics", "psnr,ssim", "-o", "report.json")
	ok("predict", "run", "--backend", "go", "--clips", "1", "--format", "mp4", "--scale", "2", "-o", "made")
	ok("predict", "run", "--backend", "go", "--video", "films/test/a.mp4", "--format", "mp4", "--scale", "1", "-o", "own")
	for path, want := range map[string][2]int{"made/predict-0000.mp4": {64, 32}, "own/predict-0000.mp4": {32, 16}} {
		info, err := video.Probe(context.Background(), path)
		if err != nil || info.Width != want[0] || info.Height != want[1] {
			t.Errorf("%s: %dx%d, error %v, want %dx%d", path, info.Width, info.Height, err, want[0], want[1])
		}
	}
	ok("data", "convert", "oblong.yml", "store")
	ok("train", "-c", "oblong.yml", "-o", "stored", "--backend", "go", "--set", "data.name=store", "--set", "data.path=store")
	for _, size := range []string{"16", "[32, 16]"} {
		status, _, stderr := call(t, "train", "-c", "oblong.yml", "-o", "other", "--set", "data.name=store", "--set", "data.path=store", "--set", "data.size="+size)
		if status != 1 || !strings.Contains(stderr, "want [16, 32], as frames of store are") {
			t.Errorf("a store and a size of %s: status %d: %s", size, status, stderr)
		}
	}
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "digits", "--set", "data.size=[16, 32]"); status == 0 || !strings.Contains(stderr, "data.size: [16, 32], want one number, because frames of digits are square") {
		t.Errorf("digits that are not square: status %d: %s", status, stderr)
	}
}
