package augment

import "mcvd/data/clips"

// Upend returns a copy of the clip with top and bottom exchanged.
func Upend(c clips.Clip) clips.Clip {
	out := clips.NewClip(c.Frames, c.Height, c.Width, c.Channels)
	row := c.Width * c.Channels
	for frame := range c.Frames {
		from, to := c.Slice(frame, frame+1).Pix, out.Slice(frame, frame+1).Pix
		for y := range c.Height {
			copy(to[y*row:][:row], from[(c.Height-1-y)*row:])
		}
	}
	return out
}
