package clips

import "fmt"

// Dataset is a collection of videos whose frames have addresses: a video's number and a frame's
// number. It chooses nothing itself; package data says where clips start. Its methods may be called
// from several goroutines at once.
//
// A data set that knows the rate of its videos has one more method, see [FPS].
type Dataset interface {
	// Len is the number of videos, 1 or more.
	Len() int
	// Name is what the data set calls video i, 0 <= i < Len: a path, or a text that nobody takes
	// for one.
	Name(i int) string
	// Frames is how many frames video i has. Where videos are made up and have no end, it is more
	// than anybody asks for.
	Frames(i int) int
	// Clip reads consecutive frames of a video from the one numbered start on. Equal arguments give
	// equal clips. It fails at frames that the video doesn't have, and where they can't be read.
	Clip(video, start, frames int) (Clip, error)
}

// FPS is how many frames a second video i of a data set has, 0 where that is unknown. A data set
// that knows it has a method FPS(i int) float64.
func FPS(ds Dataset, i int) float64 {
	if timed, ok := ds.(interface{ FPS(i int) float64 }); ok {
		return timed.FPS(i)
	}
	return 0
}

// CheckRange reports frames that a data set doesn't have, for use at the beginning of its Clip.
func CheckRange(ds Dataset, video, start, frames int) error {
	if video < 0 || video >= ds.Len() {
		return fmt.Errorf("video %d: want 0 to %d", video, ds.Len()-1)
	}
	if n := ds.Frames(video); start < 0 || frames < 1 || start > n-frames {
		return fmt.Errorf("frames %d to %d: want some of 0 to %d", start, start+frames-1, n-1)
	}
	return nil
}
