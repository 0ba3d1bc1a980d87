package cityscapes

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/resize"
)

// city makes images of a city from a number on. Those of number n have a corner of red n.
func city(t *testing.T, dir string, from, count int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for n := from; n < from+count; n++ {
		img := image.NewRGBA(image.Rect(0, 0, 32, 16))
		for i := range 32 * 16 {
			img.SetRGBA(i%32, i/32, color.RGBA{uint8(n), uint8(i * n), uint8(i * 3), 255})
		}
		var out bytes.Buffer
		if err := png.Encode(&out, img); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s_%06d_%06d_leftImg8bit.png", filepath.Base(dir), n/20, n) // the first number changes midway
		if err := os.WriteFile(filepath.Join(dir, name), out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func open(root string, split clips.Split, fps float64) (*decoded.Dataset, string, error) {
	c := configs.Default()
	c.Data.Name, c.Data.Path, c.Data.Size, c.Data.Channels, c.Data.FPS = "cityscapes", root, 8, 3, fps
	var log bytes.Buffer
	d, err := Open(context.Background(), c, split, 2, slog.New(slog.NewTextHandler(&log, nil)))
	return d, log.String(), err
}

func TestSequencesOfThirty(t *testing.T) {
	root := t.TempDir()
	train := filepath.Join(root, "leftImg8bit_sequence", "train")
	city(t, filepath.Join(train, "aachen"), 0, 60)
	city(t, filepath.Join(train, "bremen"), 7, 30)
	city(t, filepath.Join(train, "ulm"), 0, 29)
	city(t, filepath.Join(root, "leftImg8bit_sequence", "val", "lindau"), 0, 30)
	if err := os.WriteFile(filepath.Join(train, "README"), []byte("no city"), 0o644); err != nil {
		t.Fatal(err)
	}
	d, log, err := open(root, clips.Train, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range d.Len() {
		names = append(names, d.Name(i))
	}
	if want := []string{"train/aachen/aachen_000000_000000", "train/aachen/aachen_000001_000030", "train/bremen/bremen_000000_000007"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if !strings.Contains(log, "train/ulm") || !strings.Contains(log, "29 images, want a multiple of 30") || strings.Contains(log, "README") {
		t.Errorf("want that only Ulm is left out: %s", log)
	}
	got, err := d.Clip(1, 3, 1)
	if err != nil || d.Frames(1) != 30 || d.FPS(1) != 17 {
		t.Fatalf("%v, %d frames at %g a second, want 30 at 17", err, d.Frames(1), d.FPS(1))
	}
	square := resize.NewFrame(16, 16, 3)
	for y := range 16 {
		for x := range 16 {
			i := y*32 + 8 + x
			copy(square.Pix[(y*16+x)*3:], []uint8{33, uint8(i * 33), uint8(i * 3)})
		}
	}
	want := resize.NewFrame(8, 8, 3)
	resize.New(resize.Lanczos, 16, 16, 8, 8).Into(square, want)
	if !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("frame 33 of Aachen begins with %v, want %v", got.Pix[:6], want.Pix[:6])
	}
	if half, _, err := open(root, clips.Valid, 8.5); err != nil || half.Name(0) != "val/lindau/lindau_000000_000000" || half.Frames(0) != 15 {
		t.Errorf("validation at half the rate: %v", err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	root := t.TempDir()
	_, _, err := open(root, clips.Test, 0)
	if err == nil || !strings.Contains(err.Error(), "want the folders of Cityscapes' package") {
		t.Errorf("error %v", err)
	}
	if err := os.Mkdir(filepath.Join(root, "test"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, err = open(root, clips.Test, 0)
	if err == nil || !strings.Contains(err.Error(), "no cities") {
		t.Errorf("error %v", err)
	}
	if err := Check(configs.Default()); err == nil || !strings.Contains(err.Error(), "data.channels: 1, want 3") {
		t.Errorf("error %v", err)
	}
}
