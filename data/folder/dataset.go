package folder

import (
	"errors"
	"fmt"
	"os"

	"mcvd/data/clips"
)

// Dataset is the videos of one split, sorted by name. It is safe for use by several goroutines and keeps neither frames
// nor open files.
type Dataset struct {
	videos         []cached
	size, channels int
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.videos) }

// Name is video i's path relative to the data set's folder, with slashes.
func (d *Dataset) Name(i int) string { return d.videos[i].name }

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.videos[i].frames }

// Clip reads frames of a video from the cache; see [clips.Dataset].
func (d *Dataset) Clip(video, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, video, start, frames); err != nil {
		return clips.Clip{}, err
	}
	v := d.videos[video]
	clip := clips.NewClip(frames, d.size, d.size, d.channels)
	file, err := os.Open(v.path)
	if err == nil {
		_, err = file.ReadAt(clip.Pix, int64(start)*int64(clip.FrameSize()))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return clips.Clip{}, fmt.Errorf("decoded frames: %w; start again to decode it anew", err)
	}
	return clip, nil
}
