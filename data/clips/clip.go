// Package clips is what every part of the project means by a clip, a split and a data set. It
// imports nothing of the project.
package clips

// Clip is a video in memory: 8-bit frames, row-major [frames, height, width, channels], channels 1
// (grey) or 3 (RGB).
type Clip struct {
	Pix                             []uint8
	Frames, Height, Width, Channels int
}

// NewClip makes a black clip.
func NewClip(frames, height, width, channels int) Clip {
	return Clip{make([]uint8, frames*height*width*channels), frames, height, width, channels}
}

// FrameSize is the number of bytes of one frame.
func (c Clip) FrameSize() int { return c.Height * c.Width * c.Channels }

// Every returns a copy of frames frames, each stride frames behind the one before it, from number
// start on.
func (c Clip) Every(start, frames, stride int) Clip {
	out := NewClip(frames, c.Height, c.Width, c.Channels)
	size := c.FrameSize()
	for i := range frames {
		copy(out.Pix[i*size:][:size], c.Pix[(start+i*stride)*size:])
	}
	return out
}

// Slice returns frames from to to (exclusive), sharing memory with c.
func (c Clip) Slice(from, to int) Clip {
	size := c.FrameSize()
	c.Pix, c.Frames = c.Pix[from*size:to*size:to*size], to-from
	return c
}
