package video

import (
	"bytes"
	"image/png"
	"testing"

	"mcvd/data/clips"
)

// Every pixel of a strip is that of its frame, also after it went through a PNG.
func TestStrip(t *testing.T) {
	for _, channels := range []int{1, 3} {
		c := clips.NewClip(4, 3, 5, channels)
		for i := range c.Pix {
			c.Pix[i] = uint8(7 * i)
		}
		var file bytes.Buffer
		if err := png.Encode(&file, Strip(c)); err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(&file)
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds().Dx() != 20 || img.Bounds().Dy() != 3 {
			t.Fatalf("%d channels: a picture of %v, want 20x3", channels, img.Bounds())
		}
		for f := range c.Frames {
			for y := range c.Height {
				for x := range c.Width {
					p := c.Pix[((f*c.Height+y)*c.Width+x)*channels:]
					r, g, b, a := img.At(f*c.Width+x, y).RGBA()
					if r>>8 != uint32(p[0]) || g>>8 != uint32(p[channels/2]) || b>>8 != uint32(p[channels-1]) || a != 0xffff {
						t.Fatalf("%d channels, frame %d, %d, %d: %d %d %d, want %v", channels, f, x, y, r>>8, g>>8, b>>8, p[:channels])
					}
				}
			}
		}
	}
}
