package augment

import "mcvd/data/clips"

// Reverse returns a copy of the clip that is played backwards. Past and future are cut from it by
// their places. So what a model is given as the past are then the last frames, backwards.
func Reverse(c clips.Clip) clips.Clip {
	out := clips.NewClip(c.Frames, c.Height, c.Width, c.Channels)
	for frame := range c.Frames {
		copy(out.Slice(frame, frame+1).Pix, c.Slice(c.Frames-1-frame, c.Frames-frame).Pix)
	}
	return out
}
