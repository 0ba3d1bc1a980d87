package data

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"

	"mcvd/configs"
	"mcvd/data/augment"
	"mcvd/data/clips"
)

// Batch is clips of bytes, row-major [batch, frames, height, width, channels]. They become numbers in
// [-1, 1], those of [clips.Float], on the device: bytes are a quarter of what has to be moved there.
type Batch struct {
	Pix                                    []uint8
	Batch, Frames, Height, Width, Channels int
	// Labels has the labels of each clip, [batch]: see [clips.Labelled]. It is nil if the data set has
	// none. Changes by chance, such as mirroring, leave them as they are.
	Labels [][]string
	// Times are those of the frames of each clip from its first one on, in frames of the video,
	// row-major [batch, frames]; nil if the experiment's clips are of consecutive frames
	// (frames.times).
	Times []int
	// Latents holds what an autoencoder made of the frames, row-major [batch, frames, values]; nil
	// if the network works on pixels. No data set has any yet.
	Latents []float32
	// Replaced is the number of clips that stand in the place of ones that can't be read.
	Replaced int

	free func()
}

// Free gives the memory of Pix back, for a later batch. It need not be called. After it, nobody may
// use Pix.
func (b Batch) Free() {
	if b.free != nil {
		b.free()
	}
}

// clip is where the bytes of clip k lie.
func (b Batch) clip(k int) []uint8 {
	size := len(b.Pix) / b.Batch
	return b.Pix[k*size:][:size]
}

// Batches cuts a data set into batches without end. An epoch is every video once, or data.windows
// times, in an order of its own. A batch may hold the end of one epoch and the beginning of the next.
// Batch n depends only on the experiment and n, so a training that is resumed sees the same batches.
type Batches struct {
	ds            clips.Dataset
	seed          uint64
	batch, frames int
	from, to      int // the clips of each batch that At makes
	timing        timing
	span          int  // most frames of a video from the first to the last one of a clip
	windows       int  // clips of a video in an epoch
	even          bool // they start at equal distances
	flip          bool
	augment       configs.Augment
	unreadable    *unreadable
	freed         chan []uint8 // memory of batches, to be used again
}

// maxFreed is how many freed batches keep their memory. More are never under way at a time where
// somebody waits for the next one.
const maxFreed = 16

// NewBatches makes the batches of an experiment's training. log gets the names of videos that can't
// be read. It panics if c has no clips in a batch, no frames in a clip or no windows, if ds is
// empty, or if frames.times.kind is unknown.
func NewBatches(ds clips.Dataset, c *configs.Config, log *slog.Logger) *Batches {
	d := c.Data
	timing, err := timingOf(c.Frames)
	if err != nil {
		panic(fmt.Errorf("data: %w", err))
	}
	b := &Batches{ds, c.Seed, c.Train.Batch, c.Frames.Total(), 0, c.Train.Batch, timing, c.Frames.Span(), d.Windows, d.Start == "even", d.Flip, d.Augment, newUnreadable(d.OnError == "fail", log),
		make(chan []uint8, maxFreed)}
	if b.batch < 1 || b.frames < 1 || b.windows < 1 || ds.Len() < 1 {
		panic(fmt.Sprintf("data: batches of %d clips of %d frames, %d windows of each of %d videos", b.batch, b.frames, b.windows, ds.Len()))
	}
	return b
}

// Part is these batches with the clips from number from to to-1 of each only, as one of several readers
// wants them. Together the parts are the whole batches. It panics unless 0 <= from < to <= the size of a
// batch.
func (b *Batches) Part(from, to int) *Batches {
	if from < 0 || from >= to || to > b.batch {
		panic(fmt.Sprintf("data: clips %d to %d of a batch of %d", from, to-1, b.batch))
	}
	part := *b
	part.from, part.to = from, to
	return &part
}

// At makes batch n, 0 or more. It may be called from several goroutines. An error names the video.
func (b *Batches) At(n int) (Batch, error) { return b.Range(n, b.from, b.to) }

// Range makes clips from to to-1 of batch n, so that several readers can each make
// a share of every batch. Together the shares are what [Batches.At] makes. Range panics unless
// 0 <= from < to <= the size of a batch; for the rest it is like At.
func (b *Batches) Range(n, from, to int) (Batch, error) {
	if from < 0 || from >= to || to > b.batch {
		panic(fmt.Sprintf("data: clips %d to %d of a batch of %d", from, to-1, b.batch))
	}
	out := Batch{Batch: to - from}
	if r, ok := b.ds.(clips.Reader); ok {
		h, w, ch := r.Frame()
		out = b.room(to-from, clips.Clip{Frames: b.frames, Height: h, Width: w, Channels: ch})
	}
	labelled := clips.Classes(b.ds) != nil
	for k := range to - from {
		clip, err := b.sample(n*b.batch+from+k, out.clip(k))
		if err != nil {
			return Batch{}, fmt.Errorf("batch %d: %w", n, err)
		}
		if out.Pix == nil {
			out = b.room(to-from, clip.Clip)
		}
		if len(clip.Pix)*out.Batch != len(out.Pix) || clip.Height != out.Height || clip.Width != out.Width {
			return Batch{}, fmt.Errorf("batch %d: clip %d has frames of %dx%dx%d, want %dx%dx%d as the first", n, from+k,
				clip.Height, clip.Width, clip.Channels, out.Height, out.Width, out.Channels)
		}
		if clip.Replaced {
			out.Replaced++
		}
		out.Times = append(out.Times, clip.Times...)
		if labelled {
			out.Labels = append(out.Labels, clips.Labels(b.ds, clip.Video))
		}
		if &clip.Pix[0] != &out.clip(k)[0] { // it was not read to its place
			copy(out.clip(k), clip.Pix)
		}
	}
	return out, nil
}

// room is a batch of that many clips like one, without their frames, in memory of a batch that was
// freed if there is any.
func (b *Batches) room(batch int, like clips.Clip) Batch {
	size := batch * like.Frames * like.FrameSize()
	var pix []uint8
	select {
	case pix = <-b.freed:
	default:
	}
	if cap(pix) < size {
		pix = make([]uint8, size)
	}
	pix = pix[:size]
	return Batch{Pix: pix, Batch: batch, Frames: like.Frames, Height: like.Height, Width: like.Width, Channels: like.Channels,
		free: sync.OnceFunc(func() {
			select {
			case b.freed <- pix:
			default: // there is enough
			}
		})}
}

// Sample is a training clip.
type Sample struct {
	clips.Clip
	// At is where it starts.
	At
	// Times are those of its frames from the first one on, in frames of the video; nil if the
	// experiment's clips are of consecutive frames.
	Times []int
	// Replaced says that it stands in the place of a clip that can't be read.
	Replaced bool
}

// Clip reads the clip at a position of the endless order, 0 or more, as training gets it. Batch n
// has the positions from n times the batch's size on.
//
// If the clip can't be read, another one takes its place, unless data.on_error is fail. Which one
// depends only on the experiment, the position and what can't be read. So all readers agree, and a
// training that is resumed does.
func (b *Batches) Clip(position int) (Sample, error) { return b.sample(position, nil) }

// sample is Clip, into memory that is there if the data set can; see [clips.Into].
func (b *Batches) sample(position int, room []uint8) (Sample, error) {
	var failed []failure
	for try := range min(maxTries, b.ds.Len()) {
		at, mirrored := b.place(position, try)
		times := b.times(position)
		clip, err := cutInto(b.ds, at, times, room)
		if err == nil {
			if mirrored {
				clip = augment.Mirror(clip)
			}
			source := func(key uint64) *rand.Rand { return b.augmentation(position, key) }
			clip = augment.Apply(clip, b.augment, source)
			b.unreadable.tell(failed, b.ds.Name(at.Video))
			return Sample{clip, at, b.told(times, augment.Reversed(b.augment, source)), try > 0}, nil
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

// told are a clip's times as a batch has them. reversed says that the clip was turned around.
func (b *Batches) told(times []int, reversed bool) []int {
	switch {
	case b.timing == consecutive{}:
		return nil
	case reversed:
		return turned(times)
	}
	return times
}
