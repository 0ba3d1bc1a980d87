package augment

import (
	"slices"

	"mcvd/data/clips"
)

// Mirror returns a copy of the clip with left and right exchanged. It is data.flip, which is drawn
// together with the clip's start, because it was there before the others.
func Mirror(c clips.Clip) clips.Clip {
	c.Pix = slices.Clone(c.Pix)
	for line := range c.Frames * c.Height {
		row := c.Pix[line*c.Width*c.Channels:][:c.Width*c.Channels]
		for x := range c.Width / 2 {
			for ch := range c.Channels {
				a, b := x*c.Channels+ch, (c.Width-1-x)*c.Channels+ch
				row[a], row[b] = row[b], row[a]
			}
		}
	}
	return c
}
