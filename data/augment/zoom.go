package augment

import (
	"math/rand/v2"

	"mcvd/configs"
)

// zoom cuts the same rectangle out of all frames and scales it to their size. Its height and width are
// the same share of theirs, from 1-a.Zoom to 1, and it lies anywhere; all are equally likely. Pixels
// between pixels are computed bilinearly.
func zoom(rng *rand.Rand, a configs.Augment) func(numbers) {
	share := 1 - a.Zoom*rng.Float64()
	top, left := rng.Float64(), rng.Float64()
	return func(n numbers) { magnify(n, share, top, left) }
}

// magnify shows a share of the height and of the width. top and left say where the rest is cut off: 0
// leaves the upper or left edge, 1 the other one.
func magnify(n numbers, share, top, left float64) {
	rows, columns := between(n.Height, share, top), between(n.Width, share, left)
	size := n.FrameSize()
	frame := make([]float32, size)
	for i := range n.Frames {
		pix := n.pix[i*size:][:size]
		copy(frame, pix)
		at := func(y, x, channel int) float32 { return frame[(y*n.Width+x)*n.Channels+channel] }
		for y, r := range rows {
			for x, c := range columns {
				for ch := range n.Channels {
					upper := at(r.low, c.low, ch) + c.weight*(at(r.low, c.high, ch)-at(r.low, c.low, ch))
					lower := at(r.high, c.low, ch) + c.weight*(at(r.high, c.high, ch)-at(r.high, c.low, ch))
					pix[(y*n.Width+x)*n.Channels+ch] = upper + r.weight*(lower-upper)
				}
			}
		}
	}
}

// mix is a place between two pixels of a line: weight is the share of the second one.
type mix struct {
	low, high int
	weight    float32
}

// between says where on a line of n pixels the centres of n pixels lie that together are a share of its
// length. Outside of the centres of the first and the last pixel, the line goes on as these.
func between(n int, share, before float64) []mix {
	line := make([]mix, n)
	for i := range line {
		x := before*(1-share)*float64(n) + (float64(i)+0.5)*share - 0.5
		x = min(max(x, 0), float64(n-1))
		low := int(x)
		line[i] = mix{low, min(low+1, n-1), float32(x - float64(low))}
	}
	return line
}
