package folder

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"mcvd/data/clips"
)

// Dataset is the videos of one split, sorted by name. It is safe for use by several goroutines and keeps neither frames
// nor open files.
type Dataset struct {
	videos         []cached
	size, channels int
	split          clips.Split
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.videos) }

// Name is video i's path relative to the data set's folder, with slashes.
func (d *Dataset) Name(i int) string { return d.videos[i].name }

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.videos[i].frames }

// Clip cuts frames from video i; every first frame is equally likely.
func (d *Dataset) Clip(i int, rng *rand.Rand, frames int) (clips.Clip, error) {
	if i < 0 || i >= len(d.videos) {
		return clips.Clip{}, fmt.Errorf("video %d of split %s: want 0 to %d", i, d.split, len(d.videos)-1)
	}
	v := d.videos[i]
	if frames < 1 || frames > v.frames {
		return clips.Clip{}, fmt.Errorf("%s: a clip of %d frames, want 1 to %d", v.name, frames, v.frames)
	}
	return d.Window(i, rng.IntN(v.frames-frames+1), frames)
}

// Window reads frames of video i from the one numbered start; with 0 and [Dataset.Frames] it is the whole video.
func (d *Dataset) Window(i, start, frames int) (clips.Clip, error) {
	v := d.videos[i]
	if start < 0 || frames < 1 || start > v.frames-frames {
		return clips.Clip{}, fmt.Errorf("%s: frames %d to %d, want some of 0 to %d", v.name, start, start+frames-1, v.frames-1)
	}
	clip := clips.NewClip(frames, d.size, d.size, d.channels)
	file, err := os.Open(v.path)
	if err == nil {
		_, err = file.ReadAt(clip.Pix, int64(start)*int64(clip.FrameSize()))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return clips.Clip{}, fmt.Errorf("%s: decoded frames: %w; start again to decode it anew", v.name, err)
	}
	return clip, nil
}
