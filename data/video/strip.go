package video

import (
	"image"

	"mcvd/data/clips"
)

// Strip is the frames of a clip beside each other in one picture, bit for bit: grey for one channel,
// RGB without transparency for three. Its width is that of a frame times the number of frames.
func Strip(c clips.Clip) image.Image {
	area := image.Rect(0, 0, c.Width*c.Frames, c.Height)
	if c.Channels == 1 {
		out := image.NewGray(area)
		for i := range c.Frames {
			for y := range c.Height {
				copy(out.Pix[out.PixOffset(i*c.Width, y):][:c.Width], c.Pix[(i*c.Height+y)*c.Width:])
			}
		}
		return out
	}
	out := image.NewRGBA(area)
	for i := range c.Frames {
		for y := range c.Height {
			line := c.Pix[(i*c.Height+y)*c.Width*c.Channels:][:c.Width*c.Channels]
			to := out.Pix[out.PixOffset(i*c.Width, y):]
			for x := range c.Width {
				copy(to[4*x:], line[3*x:3*x+3])
				to[4*x+3] = 255
			}
		}
	}
	return out
}
