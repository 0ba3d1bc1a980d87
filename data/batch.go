package data

import (
	"fmt"
	"slices"

	"mcvd/data/clips"
)

// Batch is clips as networks take them: values in [-1, 1], row-major [batch, frames, height, width,
// channels].
type Batch struct {
	Pix                                    []float32
	Batch, Frames, Height, Width, Channels int
	// Labels has the class of each clip, [batch]; nil where the data set has no classes. None has
	// any yet.
	Labels []int32
	// Latents holds what an autoencoder made of the frames, row-major [batch, frames, values]; nil
	// where the network works on pixels. None is made yet.
	Latents []float32
}

// Batches cuts a data set into batches without end. An epoch is every video once, in an order of
// its own; a batch may hold the end of one epoch and the beginning of the next. Batch n depends on
// nothing but the seed and n, so that a training that is resumed sees what it would have seen.
type Batches struct {
	ds            clips.Dataset
	seed          uint64
	batch, frames int
	flip          bool
}

// NewBatches makes batches of batch clips of frames frames. With flip every second clip, at random,
// is mirrored left to right. It panics if batch or frames is below 1, or ds is empty.
func NewBatches(ds clips.Dataset, seed uint64, batch, frames int, flip bool) *Batches {
	if batch < 1 || frames < 1 || ds.Len() < 1 {
		panic(fmt.Sprintf("data: batches of %d clips of %d frames of %d videos", batch, frames, ds.Len()))
	}
	return &Batches{ds, seed, batch, frames, flip}
}

// At makes batch n, 0 or more. It may be called from several goroutines. An error names the video.
func (b *Batches) At(n int) (Batch, error) {
	var out Batch
	for k := range b.batch {
		clip, err := b.clip(n*b.batch + k)
		if err != nil {
			return Batch{}, fmt.Errorf("batch %d: %w", n, err)
		}
		if k == 0 {
			out = Batch{Pix: make([]float32, b.batch*len(clip.Pix)), Batch: b.batch, Frames: clip.Frames,
				Height: clip.Height, Width: clip.Width, Channels: clip.Channels}
		}
		if len(clip.Pix)*b.batch != len(out.Pix) || clip.Height != out.Height || clip.Width != out.Width {
			return Batch{}, fmt.Errorf("batch %d: clip %d has frames of %dx%dx%d, want %dx%dx%d as the first", n, k,
				clip.Height, clip.Width, clip.Channels, out.Height, out.Width, out.Channels)
		}
		to := out.Pix[k*len(clip.Pix):]
		for i, v := range clip.Pix {
			to[i] = clips.Float(v)
		}
	}
	return out, nil
}

// clip reads the clip at a position of the endless order.
func (b *Batches) clip(position int) (clips.Clip, error) {
	at, mirrored := b.place(position)
	clip, err := Cut(b.ds, at, b.frames)
	if err == nil && mirrored {
		clip = mirror(clip)
	}
	return clip, err
}

// mirror returns the clip with left and right exchanged; the data set may still hold the one given.
func mirror(c clips.Clip) clips.Clip {
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
