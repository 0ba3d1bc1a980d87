package clips

import (
	"fmt"
	"log/slog"
)

// Dataset is a collection of videos whose frames have addresses: the number of a video and the
// number of a frame. It chooses nothing itself; package data says where clips start. Its methods
// may be called from several goroutines at once.
//
// A data set that knows the frame rate of its videos has one more method, see [FPS], and so has one
// whose clips leave frames out, see [Span].
type Dataset interface {
	// Len is the number of videos, 1 or more.
	Len() int
	// Name is the name of video i, 0 <= i < Len, in the data set: a path, or a text that can't be
	// mistaken for one.
	Name(i int) string
	// Frames is the number of frames of video i. If videos are drawn and have no end, it is more
	// than anybody asks for.
	Frames(i int) int
	// Clip reads frames of a video that follow each other, beginning with number start. Equal
	// arguments give equal clips. It fails if the video doesn't have these frames, or if they can't be read.
	Clip(video, start, frames int) (Clip, error)
}

// Reader is a data set that also reads into memory that it is given, and whose frames are the same
// wherever a clip begins. So training need not take new
// memory for every batch, which takes longer than copying frames out of the kernel's cache.
type Reader interface {
	// Frame is the shape of all frames.
	Frame() (height, width, channels int)
	// Read fills pix with whole frames of a video that follow each other, beginning with number
	// start. It gives the bytes and the errors of Clip. After an error, pix holds anything.
	Read(video, start int, pix []uint8) error
}

// Into reads a clip like ds.Clip. If ds is a [Reader], and room has the size of the clip, the clip's
// bytes lie in room.
func Into(ds Dataset, video, start, frames int, room []uint8) (Clip, error) {
	if r, ok := ds.(Reader); ok {
		h, w, ch := r.Frame()
		if c := (Clip{room, frames, h, w, ch}); frames > 0 && len(room) == frames*c.FrameSize() {
			return c, r.Read(video, start, room)
		}
	}
	return ds.Clip(video, start, frames)
}

// Pick reads the frames of a video at some times, which grow: numbers of frames from number start
// on. Of a [Reader] it reads only these, and of other data sets all from the first to the last one.
// For room see [Into]. A data set whose clips leave frames out has a method of this name, too.
func Pick(ds Dataset, video, start int, times []int, room []uint8) (Clip, error) {
	n := len(times)
	if n == 0 || times[n-1] == n-1 && times[0] == 0 {
		return Into(ds, video, start, n, room)
	}
	switch ds := ds.(type) {
	case interface {
		Pick(video, start int, times []int, room []uint8) (Clip, error)
	}:
		return ds.Pick(video, start, times, room)
	case Reader:
		return pick(ds, video, start, times, room)
	}
	first := times[0]
	all, err := ds.Clip(video, start+first, times[n-1]-first+1)
	if err != nil {
		return Clip{}, err
	}
	out := NewClip(n, all.Height, all.Width, all.Channels)
	size := out.FrameSize()
	for k, t := range times {
		copy(out.Pix[k*size:][:size], all.Pix[(t-first)*size:])
	}
	return out, nil
}

// pick reads frames at some times, those that follow each other together.
func pick(r Reader, video, start int, times []int, room []uint8) (Clip, error) {
	h, w, ch := r.Frame()
	c := Clip{room, len(times), h, w, ch}
	size := c.FrameSize()
	if len(room) != len(times)*size {
		c.Pix = make([]uint8, len(times)*size)
	}
	for from := 0; from < len(times); {
		to := from + 1
		for to < len(times) && times[to] == times[to-1]+1 {
			to++
		}
		if err := r.Read(video, start+times[from], c.Pix[from*size:to*size]); err != nil {
			return Clip{}, err
		}
		from = to
	}
	return c, nil
}

// FPS is the frame rate of video i of a data set in frames a second, 0 if it is unknown. A data set
// that knows it has a method FPS(i int) float64.
func FPS(ds Dataset, i int) float64 {
	if timed, ok := ds.(interface{ FPS(i int) float64 }); ok {
		return timed.FPS(i)
	}
	return 0
}

// Span is how many frames of a video lie between the first and the last frame of a clip, these two
// included. It is the number of the clip's frames, frames, unless the data set leaves some out: then
// it has a method Stride() int, the number of frames from one frame of a clip to the next.
func Span(ds Dataset, frames int) int {
	if s, ok := ds.(interface{ Stride() int }); ok {
		return (frames-1)*s.Stride() + 1
	}
	return frames
}

// Starts is the number of frames of a video at which a clip of frames frames can start, 0 or more.
func Starts(ds Dataset, video, frames int) int { return max(0, ds.Frames(video)-Span(ds, frames)+1) }

// CheckRange reports frames that a data set doesn't have. Data sets call it at the beginning of
// Clip.
func CheckRange(ds Dataset, video, start, frames int) error {
	if video < 0 || video >= ds.Len() {
		return fmt.Errorf("video %d: want 0 to %d", video, ds.Len()-1)
	}
	if n, span := ds.Frames(video), Span(ds, frames); start < 0 || frames < 1 || start > n-span {
		return fmt.Errorf("frames %d to %d: want some of 0 to %d", start, start+span-1, n-1)
	}
	return nil
}

// LongEnough keeps the videos of a split that have frames frames or more; length says how many one has.
// It logs how many are left out, and fails if none is left. root is the folder of the data set.
func LongEnough[V any](all []V, length func(V) int, frames int, root string, split Split, log *slog.Logger) (usable []V, err error) {
	longest := 0
	for _, v := range all {
		longest = max(longest, length(v))
		if length(v) >= max(frames, 1) {
			usable = append(usable, v)
		}
	}
	left := len(all) - len(usable)
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("%s: split %s: no videos in it", root, split)
	case len(usable) == 0:
		return nil, fmt.Errorf("%s: split %s: no usable video: %d found, the longest of %d frames, want at least %d", root, split, len(all), longest, frames)
	case left > 0:
		log.Warn("videos are too short and left out", "split", split, "videos", left, "frames_wanted", frames)
	}
	log.Info("videos are ready", "split", split, "videos", len(usable), "left_out", left)
	return usable, nil
}
