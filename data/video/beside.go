package video

import (
	"errors"
	"fmt"
)

// SideBySide puts the frames of clips next to each other, with gap black pixels between them. All clips must have as
// many and as high frames; the result is RGB if any of them is, else grey.
//
// For videos of any length call it with one frame of each clip at a time ([Clip.Slice]) and hand the result to
// [Writer.WriteFrame].
func SideBySide(gap int, clips ...Clip) (Clip, error) {
	if len(clips) == 0 {
		return Clip{}, errors.New("side by side: no clips")
	}
	first := clips[0]
	channels, width := 1, gap*(len(clips)-1)
	for i, c := range clips {
		if c.Frames != first.Frames || c.Height != first.Height {
			return Clip{}, fmt.Errorf("side by side: clip %d has %d frames of height %d, want %d of %d as the first",
				i, c.Frames, c.Height, first.Frames, first.Height)
		}
		channels = max(channels, c.Channels)
		width += c.Width
	}
	out := NewClip(first.Frames, first.Height, width, channels)
	x := 0
	for _, c := range clips {
		for line := range c.Frames * c.Height {
			from := c.Pix[line*c.Width*c.Channels:][:c.Width*c.Channels]
			to := out.Pix[(line*width+x)*channels:][:c.Width*channels]
			if c.Channels == channels {
				copy(to, from)
			} else {
				enlarge(to, from, c.Width, c.Channels, 1)
			}
		}
		x += c.Width + gap
	}
	return out, nil
}
