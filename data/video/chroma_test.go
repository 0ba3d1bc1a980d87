package video

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"
)

// A colour of half the size stays where it is, whether frames keep their size, are cropped to it, or
// are scaled: the top half of a film that is symmetric is its bottom half turned upside down.
func TestColoursStayInTheirPlace(t *testing.T) {
	const w, h = 48, 32
	raw := make([]byte, w*h*3/2) // yuv420p
	for i := range raw {
		raw[i] = 128
	}
	for y := 4; y < 12; y++ { // of 16 lines of colour
		for x := range w / 2 {
			raw[w*h+y*w/2+x] = 220
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "film.mp4")
	if err := os.WriteFile(filepath.Join(dir, "raw"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	ffmpegRun(t, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "48x32", "-i", filepath.Join(dir, "raw"), "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p", path)
	for name, o := range map[string]DecodeOptions{
		"as it is":          {Channels: 3},
		"cropped":           {Channels: 3, Size: h},
		"with bars":         {Channels: 3, Size: w, Crop: Whole},
		"squeezed":          {Channels: 3, Size: h, Width: w, Crop: Squeeze},
		"half the size":     {Channels: 3, Size: h / 2},
		"through a filter":  {Channels: 3, Size: h, Filter: "opencv"},
		"of another height": {Channels: 3, Size: 24, Width: 32, Crop: Squeeze},
	} {
		c := decodeAll(t, path, o)
		c.Height = cmp.Or(o.Size, h)
		line := len(c.Pix) / c.Height
		differ := false
		for y := range c.Height / 2 {
			above, below := c.Pix[y*line:][:line], c.Pix[(c.Height-1-y)*line:][:line]
			if !near(above, below, 1) {
				t.Errorf("%s: line %d is %v, and line %d %v", name, y, above[:3], c.Height-1-y, below[:3])
			}
			differ = differ || !near(above, c.Pix[:line], 30)
		}
		if !differ {
			t.Errorf("%s: no colour in it", name)
		}
	}
}
