package video

import (
	"context"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"
)

// Pictures whose red grows from left to right and whose green from top to bottom, by one a pixel: so a
// decoded pixel says what part of the picture it shows.
func TestPartsOfFramesThatAreNotSquare(t *testing.T) {
	stills := filepath.Join(t.TempDir(), "stills")
	if err := os.Mkdir(stills, 0o755); err != nil {
		t.Fatal(err)
	}
	const width, height = 160, 96
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		img.SetRGBA(i%width, i/width, color.RGBA{uint8(20 + i%width), uint8(20 + i/width), 255, 255})
	}
	saveImage(t, filepath.Join(stills, "1.png"), img)
	film := filepath.Join(t.TempDir(), "a.mkv")
	ffmpegRun(t, "-i", filepath.Join(stills, "1.png"), "-c:v", "ffv1", "-pix_fmt", "bgr0", film)
	type part struct{ left, right, top, bottom float64 } // of the picture, at the edges of the frame
	for _, test := range []struct {
		o     DecodeOptions
		shows part
	}{
		{DecodeOptions{Size: 24, Width: 80, Crop: Center}, part{0, 160, 24, 72}},
		{DecodeOptions{Size: 48, Width: 24, Crop: Center}, part{56, 104, 0, 96}},
		{DecodeOptions{Size: 48, Width: 80, Crop: Center}, part{0, 160, 0, 96}},
		{DecodeOptions{Size: 24, Width: 80, Crop: Squeeze}, part{0, 160, 0, 96}},
		{DecodeOptions{Size: 96, Width: 80, Crop: Whole}, part{0, 160, -48, 144}}, // with bars above and below
		{DecodeOptions{Size: 48, Width: 120, Crop: Whole}, part{-40, 200, 0, 96}}, // at the sides
		{DecodeOptions{Size: 24, Width: 80, Crop: Center, Filter: "lanczos"}, part{0, 160, 24, 72}},
	} {
		test.o.Channels = 3
		for _, path := range []string{film, stills} {
			frames := 0
			_, err := Decode(context.Background(), path, test.o, func(frame []uint8) error {
				frames++
				checkPart(t, path, test.o, frame, test.shows.left, test.shows.right, test.shows.top, test.shows.bottom)
				return nil
			})
			if err != nil || frames != 1 {
				t.Errorf("%s, %+v: %d frames, error %v", filepath.Base(path), test.o, frames, err)
			}
		}
	}
}

// checkPart compares a decoded frame with the part of the picture that it should show.
func checkPart(t *testing.T, path string, o DecodeOptions, frame []uint8, left, right, top, bottom float64) {
	t.Helper()
	if len(frame) != o.Size*o.Width*3 {
		t.Fatalf("%s, %+v: %d bytes", filepath.Base(path), o, len(frame))
	}
	for i := range o.Size * o.Width {
		x := left + (float64(i%o.Width)+0.5)*(right-left)/float64(o.Width)
		y := top + (float64(i/o.Width)+0.5)*(bottom-top)/float64(o.Size)
		if min(x, 160-x) < 4 || min(y, 96-y) < 4 { // near the picture's edge a filter sees what lies beyond
			if (x < -4 || x > 164 || y < -4 || y > 100) && (frame[3*i] > 3 || frame[3*i+1] > 3 || frame[3*i+2] > 3) {
				t.Errorf("%s, %+v: pixel %d is %v, want a black bar", filepath.Base(path), o, i, frame[3*i:3*i+3])
				return
			}
			continue
		}
		for c, want := range []float64{20 + x - 0.5, 20 + y - 0.5} {
			if d := float64(frame[3*i+c]) - want; !(d > -2.5 && d < 2.5) {
				t.Errorf("%s, %+v: colour %d of pixel %d is %d, want %.1f", filepath.Base(path), o, c, i, frame[3*i+c], want)
				return
			}
		}
	}
}

func TestSizesOfParts(t *testing.T) {
	for _, test := range []struct{ size, like, middle, inside image.Point }{
		{image.Pt(160, 96), image.Pt(64, 64), image.Pt(96, 96), image.Pt(64, 38)},
		{image.Pt(160, 96), image.Pt(80, 24), image.Pt(160, 48), image.Pt(40, 24)},
		{image.Pt(96, 160), image.Pt(80, 40), image.Pt(96, 48), image.Pt(24, 40)},
		{image.Pt(33, 33), image.Pt(64, 64), image.Pt(33, 33), image.Pt(64, 64)},
		{image.Pt(1000, 1), image.Pt(64, 64), image.Pt(1, 1), image.Pt(64, 1)},
		{image.Pt(3, 1), image.Pt(4, 4096), image.Pt(1, 1), image.Pt(4, 1)},
	} {
		if got := middle(test.size, test.like); got != test.middle {
			t.Errorf("the middle of %v like %v is %v, want %v", test.size, test.like, got, test.middle)
		}
		if got := inside(test.size, test.like); got != test.inside {
			t.Errorf("%v inside of %v is %v, want %v", test.size, test.like, got, test.inside)
		}
	}
}
