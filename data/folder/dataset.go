package folder

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/singleflight"

	"mcvd/data/clips"
	"mcvd/data/store"
)

// Dataset is the videos of one split, sorted by name. It is safe for use by several goroutines and
// keeps neither frames nor open files.
type Dataset struct {
	videos []cached
	cache  *cache
	ctx    context.Context // of Open; when it ends, so does decoding in Clip
	mends  singleflight.Group
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.videos) }

// Name is video i's path relative to the data set's folder, with slashes.
func (d *Dataset) Name(i int) string { return d.videos[i].name }

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.videos[i].Frames }

// FPS is the frame rate of video i in frames a second, 0 for images whose rate is unknown.
func (d *Dataset) FPS(i int) float64 { return d.videos[i].FPS }

// Clip reads frames of a video from the cache; see [clips.Dataset]. Frames that are damaged or
// missing are decoded again, with a line in the log.
func (d *Dataset) Clip(video, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, video, start, frames); err != nil {
		return clips.Clip{}, err
	}
	v, size := d.videos[video], d.cache.decode.Size
	clip := clips.NewClip(frames, size, size, d.cache.decode.Channels)
	err := v.Read(start, clip.Pix)
	if errors.Is(err, store.ErrDamaged) {
		reason := err
		if _, err, _ = d.mends.Do(v.name, func() (any, error) { return nil, d.mend(v, reason) }); err == nil {
			err = v.Read(start, clip.Pix)
		}
	}
	if err != nil {
		return clips.Clip{}, fmt.Errorf("frames in the cache: %w", err)
	}
	return clip, nil
}

// mend decodes a video again, unless another process did so while this one waited.
func (d *Dataset) mend(v cached, reason error) error {
	unlock, err := d.cache.lock(d.ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if v.Verify() == nil {
		return nil
	}
	d.cache.log.Warn("frames in the cache are damaged; the video is decoded anew", "video", v.name, "reason", reason)
	var again cached
	if err = v.isAsItWas(); err == nil {
		var broken error
		again, broken, err = d.cache.add(d.ctx, v.source, func() {})
		err = errors.Join(broken, err)
	}
	if err == nil && again.Frames != v.Frames {
		err = fmt.Errorf("it has %d frames, before it had %d: start again", again.Frames, v.Frames)
	}
	if err != nil {
		return fmt.Errorf("%w; decoding the video anew: %w", reason, err)
	}
	return nil
}
