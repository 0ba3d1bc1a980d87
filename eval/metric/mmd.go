package metric

import (
	"fmt"

	"mcvd/data/clips"
)

// mosaicSide is the most cells that a side of a frame has in a mosaic.
const mosaicSide = 8

// mosaicMMD is the maximum mean discrepancy between clips seen as coarse mosaics. It says how far
// generated clips as a whole are from real ones, without weights of a network. A clip is all its
// frames, each averaged to 8x8 cells; [KID] compares two sets of clips. It is around 0 for clips of
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
