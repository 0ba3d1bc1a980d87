package metric

import (
	"fmt"

	"mcvd/data/clips"
)

// mosaicSide is the most cells that a side of a frame has in a mosaic.
const mosaicSide = 8

// mosaicMMD is the maximum mean discrepancy between clips seen as coarse mosaics. It says how far
// generated clips as a whole are from real ones, without weights of a network. A clip is all its
// frames, each averaged to 8x8 cells; [MMD] compares two sets of clips. It is around 0 for clips of
// the same distribution. It notices wrong brightness and colours, wrong large shapes and motion,
// and clips that are all alike. It does not notice sharpness, and it does not replace FVD.
type mosaicMMD struct{}

func openMMD(Needs) (Sets, error) { return mosaicMMD{}, nil }

// Features is each clip's mosaic in [-1, 1].
func (mosaicMMD) Features(list []clips.Clip) ([][]float32, error) {
	rows := make([][]float32, len(list))
	for i, c := range list {
		if len(c.Pix) == 0 {
			return nil, fmt.Errorf("clip %d: no pixels", i)
		}
		rows[i] = mosaic(c)
	}
	return rows, nil
}

// mosaic averages each frame and channel over up to 8x8 cells, whose sizes differ by a pixel at
// most.
func mosaic(c clips.Clip) []float32 {
	rows, columns := min(c.Height, mosaicSide), min(c.Width, mosaicSide)
	out := make([]float32, 0, c.Frames*rows*columns*c.Channels)
	for frame := range c.Frames {
		pix := c.Slice(frame, frame+1).Pix
		for row := range rows {
			top, bottom := row*c.Height/rows, (row+1)*c.Height/rows
			for column := range columns {
				left, right := column*c.Width/columns, (column+1)*c.Width/columns
				for channel := range c.Channels {
					sum := 0
					for y := top; y < bottom; y++ {
						for x := left; x < right; x++ {
							sum += int(pix[(y*c.Width+x)*c.Channels+channel])
						}
					}
					mean := float64(sum) / float64((bottom-top)*(right-left))
					out = append(out, float32(mean/127.5-1))
				}
			}
		}
	}
	return out
}

// MMD is the unbiased estimate of the squared maximum mean discrepancy of two sets of vectors
// (Gretton et al., 2012, eq. 3). The kernel is (x·y/d + 1)^3 for vectors of d numbers, as in the
// kernel inception distance (Binkowski et al., 2018, section 4). For sets from the same
// distribution its mean over draws is 0, so it may be negative.
//
// A set of fewer than two vectors is [Skipped].
func MMD(a, b [][]float32) (float64, error) {
	if len(a) < 2 || len(b) < 2 {
		return 0, Skipped{fmt.Sprintf("mmd needs 2 real and 2 generated clips or more, got %d and %d", len(a), len(b))}
	}
	for _, set := range [][][]float32{a, b} {
		for _, x := range set {
			if len(x) != len(a[0]) || len(x) == 0 {
				return 0, fmt.Errorf("mmd: a vector of %d numbers, want %d, and 1 or more", len(x), len(a[0]))
			}
		}
	}
	return meanWithin(a) + meanWithin(b) - 2*meanBetween(a, b), nil
}

// meanWithin is the kernel's mean over all pairs of different vectors of a set.
func meanWithin(set [][]float32) float64 {
	var sum float64
	for i, x := range set {
		for _, y := range set[:i] {
			sum += cubic(x, y)
		}
	}
	return sum / float64(len(set)*(len(set)-1)/2)
}

// meanBetween is the kernel's mean over all pairs of a vector of each set.
func meanBetween(a, b [][]float32) float64 {
	var sum float64
	for _, x := range a {
		for _, y := range b {
			sum += cubic(x, y)
		}
	}
	return sum / float64(len(a)*len(b))
}

// cubic is the kernel.
func cubic(x, y []float32) float64 {
	var dot float64
	for i, v := range x {
		dot += float64(v) * float64(y[i])
	}
	k := dot/float64(len(x)) + 1
	return k * k * k
}
