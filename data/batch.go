package data

import (
	"fmt"
	"log/slog"
	"math/rand/v2"

	"mcvd/configs"
	"mcvd/data/augment"
	"mcvd/data/clips"
)

// Batch is clips of bytes, row-major [batch, frames, height, width, channels]. They become numbers in
// [-1, 1], those of [clips.Float], on the device: bytes are a quarter of what has to be moved there.
type Batch struct {
	Pix                                    []uint8
	Batch, Frames, Height, Width, Channels int
	// Labels has the class of each clip, [batch]; nil if the data set has no classes. No data set
	// has any yet.
	Labels []int32
	// Latents holds what an autoencoder made of the frames, row-major [batch, frames, values]; nil
	// if the network works on pixels. No data set has any yet.
	Latents []float32
	// Replaced is the number of clips that stand in the place of ones that can't be read.
	Replaced int
}

// Batches cuts a data set into batches without end. An epoch is every video once, or data.windows
// times, in an order of its own. A batch may hold the end of one epoch and the beginning of the next.
// Batch n depends only on the experiment and n, so a training that is resumed sees the same batches.
type Batches struct {
	ds            clips.Dataset
	seed          uint64
	batch, frames int
	windows       int  // clips of a video in an epoch
	even          bool // they start at equal distances
	flip          bool
	augment       configs.Augment
	unreadable    *unreadable
}

// NewBatches makes the batches of an experiment's training. log gets the names of videos that can't
// be read. It panics if c has no clips in a batch, no frames in a clip or no windows, or if ds is empty.
func NewBatches(ds clips.Dataset, c *configs.Config, log *slog.Logger) *Batches {
	d := c.Data
	b := &Batches{ds, c.Seed, c.Train.Batch, c.Frames.Total(), d.Windows, d.Start == "even", d.Flip, d.Augment, newUnreadable(d.OnError == "fail", log)}
	if b.batch < 1 || b.frames < 1 || b.windows < 1 || ds.Len() < 1 {
		panic(fmt.Sprintf("data: batches of %d clips of %d frames, %d windows of each of %d videos", b.batch, b.frames, b.windows, ds.Len()))
	}
	return b
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
		clip, err := b.Clip(n*b.batch + from + k)
		if err != nil {
			return Batch{}, fmt.Errorf("batch %d: %w", n, err)
		}
		if k == 0 {
			out = Batch{Pix: make([]uint8, (to-from)*len(clip.Pix)), Batch: to - from, Frames: clip.Frames,
				Height: clip.Height, Width: clip.Width, Channels: clip.Channels}
		}
		if len(clip.Pix)*out.Batch != len(out.Pix) || clip.Height != out.Height || clip.Width != out.Width {
			return Batch{}, fmt.Errorf("batch %d: clip %d has frames of %dx%dx%d, want %dx%dx%d as the first", n, from+k,
				clip.Height, clip.Width, clip.Channels, out.Height, out.Width, out.Channels)
		}
		if clip.Replaced {
			out.Replaced++
		}
		copy(out.Pix[k*len(clip.Pix):], clip.Pix)
	}
	return out, nil
}

// Sample is a training clip.
type Sample struct {
	clips.Clip
	// At is where it starts.
	At
	// Replaced says that it stands in the place of a clip that can't be read.
	Replaced bool
}

// Clip reads the clip at a position of the endless order, 0 or more, as training gets it. Batch n
// has the positions from n times the batch's size on.
//
// If the clip can't be read, another one takes its place, unless data.on_error is fail. Which one
// depends only on the experiment, the position and what can't be read. So all readers agree, and a
// training that is resumed does.
func (b *Batches) Clip(position int) (Sample, error) {
	var failed []failure
	for try := range min(maxTries, b.ds.Len()) {
		at, mirrored := b.place(position, try)
		clip, err := Cut(b.ds, at, b.frames)
		if err == nil {
			if mirrored {
				clip = augment.Mirror(clip)
			}
			clip = augment.Apply(clip, b.augment, func(key uint64) *rand.Rand { return b.augmentation(position, key) })
			b.unreadable.tell(failed, b.ds.Name(at.Video))
			return Sample{clip, at, try > 0}, nil
		}
		if err := b.unreadable.fatal(err); err != nil {
			return Sample{}, err
		}
		failed = append(failed, failure{at, err})
	}
	if len(failed) > 1 {
		return Sample{}, fmt.Errorf("%d videos in a row can't be read, the first: %w", len(failed), failed[0].err)
	}
	return Sample{}, failed[0].err
}
