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
	// Labels has the class of each clip, [batch]; nil if the data set has no classes. No data set
	// has any yet.
	Labels []int32
	// Latents holds what an autoencoder made of the frames, row-major [batch, frames, values]; nil
	// if the network works on pixels. No data set has any yet.
	Latents []float32
}

// Batches cuts a data set into batches without end. An epoch is every video once, in an order of
// its own. A batch may hold the end of one epoch and the beginning of the next. Batch n depends
// only on the seed and n, so a training that is resumed sees the same batches.
type Batches struct {
	ds            clips.Dataset
	seed          uint64
	batch, frames int
	flip          bool
}

// NewBatches makes batches of batch clips of frames frames. With flip, each clip is mirrored left
// to right with probability one half. It panics if batch or frames is below 1, or ds is empty.
func NewBatches(ds clips.Dataset, seed uint64, batch, frames int, flip bool) *Batches {
	if batch < 1 || frames < 1 || ds.Len() < 1 {
		panic(fmt.Sprintf("data: batches of %d clips of %d frames of %d videos", batch, frames, ds.Len()))
	}
	return &Batches{ds, seed, batch, frames, flip}
}

// At makes batch n, 0 or more. It may be called from several goroutines. An error names the video.
func (b *Batches) At(n int) (Batch, error) { return b.Range(n, 0, b.batch) }

// Range makes clips from to to-1 of batch n, so that several readers, such as hosts, can each make
// a share of every batch. Together the shares are what [Batches.At] makes. Range panics unless
// 0 <= from < to <= the size of a batch; for the rest it is like At.
func (b *Batches) Range(n, from, to int) (Batch, error) {
	if from < 0 || from >= to || to > b.batch {
		panic(fmt.Sprintf("data: clips %d to %d of a batch of %d", from, to-1, b.batch))
	}
	var out Batch
	for k := range to - from {
		clip, _, err := b.Clip(n*b.batch + from + k)
		if err != nil {
			return Batch{}, fmt.Errorf("batch %d: %w", n, err)
		}
		if k == 0 {
			out = Batch{Pix: make([]float32, (to-from)*len(clip.Pix)), Batch: to - from, Frames: clip.Frames,
				Height: clip.Height, Width: clip.Width, Channels: clip.Channels}
		}
		if len(clip.Pix)*out.Batch != len(out.Pix) || clip.Height != out.Height || clip.Width != out.Width {
			return Batch{}, fmt.Errorf("batch %d: clip %d has frames of %dx%dx%d, want %dx%dx%d as the first", n, from+k,
				clip.Height, clip.Width, clip.Channels, out.Height, out.Width, out.Channels)
		}
		pix := out.Pix[k*len(clip.Pix):]
		for i, v := range clip.Pix {
			pix[i] = clips.Float(v)
		}
	}
	return out, nil
}

// Clip reads the clip at a position of the endless order, 0 or more, as training gets it, and says
// where it starts. Batch n has the positions from n times the batch's size on.
func (b *Batches) Clip(position int) (clips.Clip, At, error) {
	at, mirrored := b.place(position)
	clip, err := Cut(b.ds, at, b.frames)
	if err == nil && mirrored {
		clip = Mirror(clip)
	}
	return clip, at, err
}

// Mirror returns a copy of the clip with left and right exchanged.
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
