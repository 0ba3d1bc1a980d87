package video

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/data/resize"
)

// Films and images that a filter scales are what the filter makes of whole frames.
func TestFiltersScaleWholeFrames(t *testing.T) {
	dir := t.TempDir()
	film := filepath.Join(dir, "a.mkv")
	testsrc(t, film, "30x20", 3, "-c:v", "ffv1", "-pix_fmt", "bgr0")
	img := image.NewRGBA(image.Rect(0, 0, 30, 20))
	for i := range 600 {
		img.SetRGBA(i%30, i/30, color.RGBA{uint8(i * 7), uint8(i * 3), uint8(i), 255})
	}
	stills := filepath.Join(dir, "stills")
	if err := os.Mkdir(stills, 0o755); err != nil {
		t.Fatal(err)
	}
	saveImage(t, filepath.Join(stills, "1.png"), img)
	for _, path := range []string{film, stills} {
		whole := decodeAll(t, path, DecodeOptions{Channels: 3})
		first := resize.Frame{Pix: whole.Pix[:30*20*3], Height: 20, Width: 30, Channels: 3}
		for _, o := range []DecodeOptions{
			{Size: 8, Width: 11, Crop: Squeeze, Filter: resize.Lanczos},
			{Size: 8, Crop: Squeeze, Filter: resize.OpenCV},
			{Size: 8, Crop: Center, Filter: resize.Lanczos},
			{Size: 24, Filter: resize.Bilinear},
		} {
			o.Channels = 3
			from, to := first, resize.NewFrame(o.Size, max(o.Size, o.Width), 3)
			if o.Crop != Squeeze {
				side := min(from.Height, from.Width)
				from = from.Middle(side, side)
			}
			resize.New(o.Filter, from.Height, from.Width, to.Height, to.Width).Into(from, to)
			var got []uint8
			if _, err := Decode(context.Background(), path, o, func(frame []uint8) error {
				if got == nil {
					got = bytes.Clone(frame)
				}
				return nil
			}); err != nil || !bytes.Equal(got, to.Pix) {
				t.Errorf("%s, %+v: %d bytes, %v, want those of the filter", filepath.Base(path), o, len(got), err)
			}
		}
	}
}

// Without a filter, squeezing gives frames of the size asked for, which nothing was cut from.
func TestSqueeze(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 32, 8))
	for i := range img.Pix {
		img.Pix[i] = uint8(255 * (i % 32 / 16)) // black, then white
	}
	stills := filepath.Join(t.TempDir(), "stills")
	if err := os.Mkdir(stills, 0o755); err != nil {
		t.Fatal(err)
	}
	saveImage(t, filepath.Join(stills, "1.png"), img)
	film := filepath.Join(t.TempDir(), "a.mkv")
	ffmpegRun(t, "-i", filepath.Join(stills, "1.png"), "-c:v", "ffv1", "-pix_fmt", "gray", film)
	for _, path := range []string{film, stills} {
		got := decodeAll(t, path, DecodeOptions{Size: 8, Channels: 1, Crop: Squeeze}).Pix
		if len(got) != 64 || got[0] > 2 || got[2] > 2 || got[5] < 253 || got[63] < 253 {
			t.Errorf("%s: the first line is %v, want four black and four white pixels", filepath.Base(path), got[:min(8, len(got))])
		}
	}
}

func TestOptionsWithoutEffectAreRefused(t *testing.T) {
	for want, o := range map[string]DecodeOptions{
		"have no effect because size is 0":     {Filter: resize.Lanczos},
		"width: -3, want 0 or more":            {Size: 8, Width: -3},
		"none where crop is whole":             {Size: 8, Crop: Whole, Filter: resize.Lanczos},
		`unknown "cubic", want bilinear, lanc`: {Size: 8, Filter: "cubic"},
		"want center, whole or squeeze":        {Size: 8, Crop: "middle"},
	} {
		o.Channels = 1
		if _, err := Decode(context.Background(), "nowhere", o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %s", o, err, want)
		}
	}
}
