package decoded

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/data/clips"
	"mcvd/data/resize"
	"mcvd/data/store"
	"mcvd/data/video"
)

// ten makes a lossless video of ten frames of which frame i has the grey 10 i.
func ten(t *testing.T, path string) Source {
	t.Helper()
	c := clips.NewClip(10, 16, 16, 1)
	for i := range c.Pix {
		c.Pix[i] = uint8(i / c.FrameSize() * 10)
	}
	if err := video.WriteClip(context.Background(), path, c, video.WriterOptions{FPS: 10, Quality: video.Lossless}); err != nil {
		t.Fatal(err)
	}
	s, err := Film(filepath.Base(path), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, root string, frames int, sources ...Source) (*Dataset, string, error) {
	t.Helper()
	var log bytes.Buffer
	d, err := Open(context.Background(), Set{Root: root, Split: clips.Train, Sources: sources,
		Decode: video.DecodeOptions{Size: 8, Channels: 1}}, frames, slog.New(slog.NewTextHandler(&log, nil)))
	return d, log.String(), err
}

func TestPartsOfASource(t *testing.T) {
	root := t.TempDir()
	s := ten(t, filepath.Join(root, "a.mp4"))
	s.Parts = []Part{{"second", 6, 9}, {"first", 2, 7}, {"beyond", 8, 20}, {"after", 30, 40}}
	d, log, err := open(t, root, 2, s)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log, "video=after") || !strings.Contains(log, "0 frames, want at least 2") || !strings.Contains(log, "videos=3 left_out=1") {
		t.Errorf("want that the part after the end is left out: %s", log)
	}
	for i, want := range []struct {
		name  string
		greys []uint8
	}{{"second", []uint8{60, 70, 80}}, {"first", []uint8{20, 30, 40, 50, 60}}, {"beyond", []uint8{80, 90}}} {
		c, err := d.Clip(i, 0, d.Frames(i))
		if err != nil {
			t.Fatal(err)
		}
		var greys []uint8
		for f := range c.Frames {
			greys = append(greys, c.Slice(f, f+1).Pix[0])
		}
		if d.Name(i) != want.name || d.FPS(i) != 10 || !slices.Equal(greys, want.greys) {
			t.Errorf("%s at %g a second is %v, want %s at 10, %v", d.Name(i), d.FPS(i), greys, want.name, want.greys)
		}
	}
	if _, err := d.Clip(0, 2, 2); err == nil {
		t.Error("frames after the end of a part: no error")
	}
	s.Exact = true
	if d, log, err := open(t, root, 2, s); err != nil || d.Len() != 2 || !strings.Contains(log, `file=beyond reason="a.mp4 ends 10 frames before it does"`) {
		t.Errorf("exact parts: %v, want the two that are whole: %s", err, log)
	}
	files, _ := filepath.Glob(filepath.Join(root, ".mcvd-cache", "*.frames"))
	if len(files) != 1 {
		t.Fatalf("%d files in the cache, want one for a source with four parts", len(files))
	}
	good, _ := os.ReadFile(files[0])
	if err := os.WriteFile(files[0], make([]byte, len(good)), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := d.Clip(1, 1, 1); err != nil || c.Pix[0] != 30 {
		t.Errorf("after damage: %v, %v, want 30", c.Pix[:1], err)
	}
}

func TestListsOfImages(t *testing.T) {
	root := t.TempDir()
	var files []string
	for i := range 5 {
		img := image.NewGray(image.Rect(0, 0, 8, 8))
		for j := range img.Pix {
			img.Pix[j] = uint8(10 * i)
		}
		var out bytes.Buffer
		if err := png.Encode(&out, img); err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(root, fmt.Sprintf("%d.png", i)))
		if err := os.WriteFile(files[i], out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	slices.Reverse(files)
	s, err := Stills("reversed", files)
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := open(t, root, 5, s)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := d.Clip(0, 1, 3); err != nil || c.Pix[0] != 30 || c.Pix[2*64] != 10 {
		t.Errorf("%v, want frames of 30, 20 and 10", err)
	}
	if _, log, err := open(t, root, 5, s); err != nil || strings.Contains(log, "decoding") {
		t.Errorf("decoded again: %v, %s", err, log)
	}
	if err := os.WriteFile(files[2], nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Stills("reversed", files); err == nil || !strings.Contains(err.Error(), "empty file") {
		t.Errorf("an empty image: error %v", err)
	}
	os.RemoveAll(filepath.Join(root, ".mcvd-cache"))
	if _, err := d.Clip(0, 0, 1); err == nil || !strings.Contains(err.Error(), "empty file") {
		t.Errorf("an image was emptied and the cache removed: error %v", err)
	}
	if _, log, err := open(t, root, 5, s); err == nil || !strings.Contains(err.Error(), "no usable video for split train: 1 found, 1 left out: reversed: ") {
		t.Errorf("an image can't be read: error %v, %s", err, log)
	}
}

// Whatever changes frames belongs to the name under which they are kept: frames of other options are
// others.
func TestFramesOfOtherOptionsAreOthers(t *testing.T) {
	base := video.DecodeOptions{Size: 8, Channels: 1, Crop: video.Squeeze, FPS: 5}
	film, stills := Source{Name: "a.mp4"}, Source{Name: "a", Images: []string{"1.png"}}
	seen := map[store.Video]string{}
	for name, change := range map[string]func(o *video.DecodeOptions){
		"as it is":       func(*video.DecodeOptions) {},
		"size":           func(o *video.DecodeOptions) { o.Size = 9 },
		"width":          func(o *video.DecodeOptions) { o.Width = 9 },
		"channels":       func(o *video.DecodeOptions) { o.Channels = 3 },
		"crop":           func(o *video.DecodeOptions) { o.Crop = video.Center },
		"fps":            func(o *video.DecodeOptions) { o.FPS = 5.5 },
		"no fps":         func(o *video.DecodeOptions) { o.FPS = 0 },
		"filter":         func(o *video.DecodeOptions) { o.Filter = resize.Lanczos },
		"fps of images":  func(o *video.DecodeOptions) { o.ImageFPS = 10 },
		"fps of images'": func(o *video.DecodeOptions) { o.ImageFPS = 10.5 },
	} {
		o := base
		change(&o)
		for _, s := range []Source{film, stills} {
			if s.Images == nil && o.ImageFPS > 0 {
				continue // videos know theirs
			}
			v := (&cache{decode: o}).stored(s)
			v.Height, v.Width, v.Channels = 0, 0, 0 // files are named after the name and the settings
			if other, ok := seen[v]; ok {
				t.Errorf("%s of %s: the frames of %s", name, s.Name, other)
			}
			seen[v] = name
		}
	}
}
