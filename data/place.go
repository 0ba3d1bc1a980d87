package data

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"mcvd/data/clips"
)

// At is where a clip starts: a video, and the number of a frame of it. All places where clips are
// cut are chosen in this file: [Batches] draws those of training at random, [Fixed] and [Spread] list
// those of evaluation, and [Windows] lists all.
type At struct{ Video, Start int }

// Cut reads the clip of frames frames at a place. An error begins with the name of the video.
func Cut(ds clips.Dataset, at At, frames int) (clips.Clip, error) {
	return cutInto(ds, at, every(frames, 1), nil)
}

// cutInto is Cut of the frames at some times after the start, into memory that is there, if the
// data set can; see [clips.Pick].
func cutInto(ds clips.Dataset, at At, times []int, room []uint8) (clips.Clip, error) {
	frames := len(times)
	clip, err := clips.Pick(ds, at.Video, at.Start, times, room)
	if err == nil && (clip.Frames != frames || len(clip.Pix) != frames*clip.FrameSize()) {
		err = fmt.Errorf("a clip of %d frames in %d bytes, want %d", clip.Frames, len(clip.Pix), frames)
	}
	if err != nil {
		return clips.Clip{}, fmt.Errorf("%s: %w", ds.Name(at.Video), err)
	}
	return clip, nil
}

// Fixed is the place of clip i, counted from 0, in the order in which a data set is evaluated. It
// depends only on the seed and on what the data set holds. The first Len clips are of different
// videos. Then the videos come again, with other starts.
func Fixed(ds clips.Dataset, seed uint64, i, frames int) At {
	round, place := uint64(i/ds.Len()), i%ds.Len()
	video := newPermutation(ds.Len(), hash(seed, forFixedOrder, round)).at(place)
	return At{video, anyStart(ds, source(seed, forFixedClip, uint64(i)), video, frames)}
}

// Spread is the place of clip i of n in the order in which the published code evaluates a data set:
// of N videos it takes number i/(n-1) (N-1), rounded half to even, so it visits all of them evenly,
// and some of them several times if n is larger than N. A clip starts anywhere but at the last
// frame from which it would fit, which the published code never draws. Its own draws are not
// reproduced: they depend on the state of Python's generator.
func Spread(ds clips.Dataset, seed uint64, i, n, frames int) At {
	video := 0
	if n > 1 {
		video = int(math.RoundToEven(float64(i) / float64(n-1) * float64(ds.Len()-1)))
	}
	starts := max(1, clips.Starts(ds, video, frames)-1)
	return At{video, source(seed, forFixedClip, uint64(i)).IntN(starts)}
}

// Windows lists the places of all clips of frames frames whose start is a multiple of stride, 1 or
// more, video by video.
func Windows(ds clips.Dataset, frames, stride int) iter.Seq[At] {
	return func(yield func(At) bool) {
		for video := range ds.Len() {
			for start := 0; start < clips.Starts(ds, video, frames); start += stride {
				if !yield(At{video, start}) {
					return
				}
			}
		}
	}
}

// place is where the training clip at a position of the endless order starts, and whether it is
// mirrored. If the clip can't be read, try 1 and the following ones are places in other videos, any
// of them equally likely, none of them twice.
func (b *Batches) place(position, try int) (at At, mirrored bool) {
	n, epoch, place := b.epoch(position)
	item := newPermutation(n, hash(b.seed, forOrder, epoch)).at(place)
	video, window := item/b.windows, item%b.windows
	rng := source(b.seed, forClip, epoch, uint64(place))
	if try > 0 {
		video = b.another(video, try, epoch, uint64(place))
		rng = source(b.seed, forReplacedClip, epoch, uint64(place), uint64(try))
	}
	mirrored = b.flip && rng.Uint64()&1 == 1
	times := b.times(position)
	span := times[len(times)-1] + 1
	if b.even {
		return At{video, b.evenStart(video, window, span)}, mirrored
	}
	return At{video, anyStart(b.ds, rng, video, span)}, mirrored
}

// times are those of the frames of the training clip at a position, from its first frame on. A clip
// that takes the place of one that can't be read has the same.
func (b *Batches) times(position int) []int {
	_, epoch, place := b.epoch(position)
	return b.timing.draw(source(b.seed, forTimes, epoch, uint64(place)), b.frames, b.span)
}

// epoch is the number of clips in an epoch, the epoch of a position, and the place in it.
func (b *Batches) epoch(position int) (n int, epoch uint64, place int) {
	n = b.ds.Len() * b.windows
	return n, uint64(position / n), position % n
}

// augmentation is the source of the random numbers with which a clip is changed in some way.
func (b *Batches) augmentation(position int, key uint64) *rand.Rand {
	_, epoch, place := b.epoch(position)
	return source(b.seed, forAugmentation, epoch, uint64(place), key)
}

// evenStart is where a window of a video starts: they divide the frames at which a clip can start into
// equal parts, from the first one to the last one. A single window starts at the first. span is the
// number of frames from the first to the last one of the clip.
func (b *Batches) evenStart(video, window, span int) int {
	return window * max(0, clips.Starts(b.ds, video, span)-1) / max(1, b.windows-1)
}

// another is the try-th video, from 1 to Len-1, that is tried in the place of a video.
func (b *Batches) another(video, try int, epoch, place uint64) int {
	other := newPermutation(b.ds.Len()-1, hash(b.seed, forReplacement, epoch, place)).at(try - 1)
	if other >= video {
		other++
	}
	return other
}

// anyStart draws a start at which a video has that many frames. All such starts are equally likely.
// It is 0 if there is none.
func anyStart(ds clips.Dataset, rng *rand.Rand, video, frames int) int {
	return rng.IntN(max(1, clips.Starts(ds, video, frames)))
}
