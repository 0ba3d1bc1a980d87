package cloud

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"mcvd/eval"
	"mcvd/models/diffusion"
)

// blue and orange are the pixels in the colours of the two columns, by rows of panels.
func colours(t *testing.T, path string, rows int) (blue, orange []int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	blue, orange = make([]int, rows), make([]int, rows)
	size := img.Bounds()
	for y := range size.Dy() {
		for x := range size.Dx() {
			r, _, b, _ := img.At(x, y).RGBA()
			row := y * rows / size.Dy()
			if left := image.Pt(x, y).In(image.Rect(0, 0, size.Dx()/2, size.Dy())); left && b > r+0x4000 {
				blue[row]++
			} else if !left && r > b+0x4000 {
				orange[row]++
			}
		}
	}
	return blue, orange
}

// Each moment has its row, the last at the top, with data on the left and what is generated on the
// right; more points make more pixels.
func TestRowsAreMoments(t *testing.T) {
	spread := func(n int) (points []eval.Frames) {
		for i := range n {
			points = append(points, eval.Frames{float32(i%5)/5 - 0.4, float32(i/5)/5 - 0.4})
		}
		return points
	}
	path := filepath.Join(t.TempDir(), "a.png")
	err := Write(path, []eval.Moment{
		{Level: diffusion.Level{Signal: 0.1, Noise: 0.9}, Forward: spread(2), Reverse: spread(20)},
		{Level: diffusion.Clean, Forward: spread(10), Reverse: spread(5)},
	})
	if err != nil {
		t.Fatal(err)
	}
	blue, orange := colours(t, path, 2)
	one := blue[1] / 2 // pixels of a point
	if one < 1 {
		t.Fatalf("%d and %d blue pixels, want some in both rows", blue[0], blue[1])
	}
	for _, c := range []struct{ got, points int }{{blue[0], 10}, {blue[1], 2}, {orange[0], 5}, {orange[1], 20}} {
		if c.got < c.points*one/2 || c.got > c.points*one*3/2 {
			t.Errorf("%d pixels for %d points, want about %d", c.got, c.points, c.points*one)
		}
	}
	if err := Write(path, []eval.Moment{{Forward: []eval.Frames{{1, 2, 3}}}}); err == nil {
		t.Error("points with three coordinates are drawn")
	}
}
