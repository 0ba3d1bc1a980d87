package video

import (
	"errors"
	"fmt"

	"mcvd/data/clips"
)

// SideBySide puts the frames of clips next to each other, with gap pixels between them in the
// colour of mark, as RGB. All clips must have equally many frames of the same height.
//
// For videos of any length, call it with one frame of each clip at a time ([clips.Clip.Slice]) and
// pass the result to [Writer.WriteFrame].
func SideBySide(gap int, mark Mark, shown ...clips.Clip) (clips.Clip, error) {
	if len(shown) == 0 {
		return clips.Clip{}, errors.New("side by side: no clips")
	}
	first, width := shown[0], gap*(len(shown)-1)
	for i, c := range shown {
		if c.Frames != first.Frames || c.Height != first.Height {
			return clips.Clip{}, fmt.Errorf("side by side: clip %d has %d frames of height %d, want %d of %d as the first",
				i, c.Frames, c.Height, first.Frames, first.Height)
		}
		width += c.Width
	}
	const channels = 3
	out := clips.NewClip(first.Frames, first.Height, width, channels)
	between := markColors[mark]
	for i := range len(out.Pix) / channels {
		copy(out.Pix[i*channels:], []uint8{between.R, between.G, between.B})
	}
	x := 0
	for _, c := range shown {
		for line := range c.Frames * c.Height {
			from := c.Pix[line*c.Width*c.Channels:][:c.Width*c.Channels]
			enlarge(out.Pix[(line*width+x)*channels:][:c.Width*channels], from, c.Width, c.Channels, 1)
		}
		x += c.Width + gap
	}
	return out, nil
}
