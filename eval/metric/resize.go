package metric

import (
	"math"

	"mcvd/data/clips"
)

// resized makes every frame of a clip side x side pixels, as Image.resize with BILINEAR does in the
// Pillow of the published results' time: along rows, then along columns, both rounded to bytes. Where a frame becomes smaller, the
// triangle of weights is as much wider.
func resized(c clips.Clip, side int) clips.Clip {
	wide := resizeAxis(c.Pix, c.Frames*c.Height, c.Width, c.Channels, side)
	tall := resizeAxis(wide, c.Frames, c.Height, side*c.Channels, side)
	return clips.Clip{Pix: tall, Frames: c.Frames, Height: side, Width: side, Channels: c.Channels}
}

// resizeAxis resizes the middle axis of bytes [outer, size, inner] to another size.
func resizeAxis(pix []uint8, outer, size, inner, to int) []uint8 {
	if size == to {
		return pix
	}
	out := make([]uint8, outer*to*inner)
	for row := range to {
		first, weights := triangle(row, size, to)
		for o := range outer {
			for i := range inner {
				sum := int64(1) << (weightBits - 1) // rounds
				for k, w := range weights {
					sum += w * int64(pix[(o*size+first+k)*inner+i])
				}
				out[(o*to+row)*inner+i] = uint8(min(max(sum>>weightBits, 0), 255))
			}
		}
	}
	return out
}

// weightBits is how many binary digits Pillow's weights have.
const weightBits = 22

// triangle is the weights of the pixels from first on, of size, that make pixel number row of to.
func triangle(row, size, to int) (first int, weights []int64) {
	scale := float64(size) / float64(to)
	support := max(scale, 1)
	center := (float64(row) + 0.5) * scale
	first = max(int(center-support+0.5), 0)
	end := min(int(center+support+0.5), size)
	var sum float64
	exact := make([]float64, end-first)
	for i := range exact {
		exact[i] = max(0, 1-math.Abs((float64(first+i)-center+0.5)/support))
		sum += exact[i]
	}
	for _, w := range exact {
		weights = append(weights, int64(w/sum*(1<<weightBits)+0.5))
	}
	return first, weights
}
