package data

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"mcvd/data/clips"
)

// Batch is clips as networks take them: values in [-1, 1], row-major [batch, frames, height, width, channels].
type Batch struct {
	Pix                                    []float32
	Batch, Frames, Height, Width, Channels int
}

// Batches cuts a data set into batches without end. An epoch is every video once, in an order of its own; a batch may
// hold the end of one epoch and the beginning of the next. Batch n depends on nothing but the seed and n, so that a
// training that is resumed sees what it would have seen.
type Batches struct {
	ds            clips.Dataset
	seed          uint64
	batch, frames int
	flip          bool
}

// NewBatches makes batches of batch clips of frames frames. With flip every second clip, at random, is mirrored left to
// right. It panics if batch or frames is below 1, or ds is empty.
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
			out = Batch{make([]float32, b.batch*len(clip.Pix)), b.batch, clip.Frames, clip.Height, clip.Width, clip.Channels}
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

// clip cuts the clip at a position of the endless order.
func (b *Batches) clip(position int) (clips.Clip, error) {
	epoch, place := uint64(position/b.ds.Len()), position%b.ds.Len()
	i := newPermutation(b.ds.Len(), hash(b.seed, forOrder, epoch)).at(place)
	rng := source(b.seed, forClip, epoch, uint64(place))
	mirrored := b.flip && rng.Uint64()&1 == 1 // drawn first: how much a data set draws must not matter
	clip, err := cut(b.ds, i, rng, b.frames)
	if err == nil && mirrored {
		clip = mirror(clip)
	}
	return clip, err
}

// cut is the data set's Clip, with the name of the video in the error.
func cut(ds clips.Dataset, i int, rng *rand.Rand, frames int) (clips.Clip, error) {
	clip, err := ds.Clip(i, rng, frames)
	if err != nil {
		return clip, fmt.Errorf("%s: %w", Name(ds, i), err)
	}
	if clip.Frames != frames || len(clip.Pix) != frames*clip.FrameSize() {
		return clip, fmt.Errorf("%s: a clip of %d frames in %d bytes, want %d", Name(ds, i), clip.Frames, len(clip.Pix), frames)
	}
	return clip, nil
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

// Fixed cuts clip i, 0 or more, of the order in which a data set is evaluated, which depends only on the seed. After
// Len clips every video has been there once; from then on they come again with other windows.
func Fixed(ds clips.Dataset, seed uint64, i, frames int) (clips.Clip, error) {
	rng := source(seed, forFixedClip, uint64(i))
	return cut(ds, FixedVideo(ds, seed, i), rng, frames)
}

// FixedVideo is which video [Fixed] cuts from, 0 to Len-1.
func FixedVideo(ds clips.Dataset, seed uint64, i int) int {
	round, place := uint64(i/ds.Len()), i%ds.Len()
	return newPermutation(ds.Len(), hash(seed, forFixedOrder, round)).at(place)
}
