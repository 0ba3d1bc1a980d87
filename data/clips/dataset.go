package clips

import "fmt"

// Dataset is a collection of videos whose frames have addresses: the number of a video and the
// number of a frame. It chooses nothing itself; package data says where clips start. Its methods
// may be called from several goroutines at once.
//
// A data set that knows the frame rate of its videos has one more method, see [FPS].
type Dataset interface {
	// Len is the number of videos, 1 or more.
	Len() int
	// Name is the name of video i, 0 <= i < Len, in the data set: a path, or a text that can't be
	// mistaken for one.
	Name(i int) string
	// Frames is the number of frames of video i. If videos are drawn and have no end, it is more
	// than anybody asks for.
	Frames(i int) int
	// Clip reads consecutive frames of a video, beginning with number start. Equal arguments give
	// equal clips. It fails if the video doesn't have these frames, or if they can't be read.
	Clip(video, start, frames int) (Clip, error)
}

// FPS is the frame rate of video i of a data set in frames a second, 0 if it is unknown. A data set
// that knows it has a method FPS(i int) float64.
func FPS(ds Dataset, i int) float64 {
	if timed, ok := ds.(interface{ FPS(i int) float64 }); ok {
		return timed.FPS(i)
	}
	return 0
}

// CheckRange reports frames that a data set doesn't have. Data sets call it at the beginning of
// Clip.
func CheckRange(ds Dataset, video, start, frames int) error {
	if video < 0 || video >= ds.Len() {
		return fmt.Errorf("video %d: want 0 to %d", video, ds.Len()-1)
	}
	if n := ds.Frames(video); start < 0 || frames < 1 || start > n-frames {
		return fmt.Errorf("frames %d to %d: want some of 0 to %d", start, start+frames-1, n-1)
	}
	return nil
}
