package decoded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/singleflight"

	"mcvd/data/clips"
	"mcvd/data/store"
)

// Dataset is the videos of one split, in the order of their sources. It is safe for use by several
// goroutines and keeps neither frames nor open files.
type Dataset struct {
	videos  []film
	classes []string
	cache   *cache
	ctx     context.Context // of Open; when it ends, so does decoding in Clip
	mends   singleflight.Group
}

// film is a video of the data set: frames of a source.
type film struct {
	name         string
	of           *cached
	from, frames int
	missing      int // frames that it should have behind these
}

// videos are those that a source holds. A part that goes on after the end of its source ends there,
// with a line in log.
func (s *cached) videos(log *slog.Logger) []film {
	if s.Parts == nil {
		return []film{{s.Name, s, 0, s.Entry.Frames, 0}}
	}
	var out []film
	for _, p := range s.Parts {
		from, to := min(p.From, s.Entry.Frames), min(p.To, s.Entry.Frames)
		if p.To > to && !s.Exact {
			log.Warn("video goes on after the end of its file, and ends there", "video", p.Name, "frames", p.To-p.From, "there", to-from)
		}
		out = append(out, film{p.Name, s, from, to - from, p.To - to})
	}
	return out
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.videos) }

// Name is video i's name, as its source has it: a path relative to the data set's folder, with slashes.
func (d *Dataset) Name(i int) string { return d.videos[i].name }

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.videos[i].frames }

// Classes are what the videos show, sorted, nil if that is unknown; see [clips.Labelled].
func (d *Dataset) Classes() []string { return d.classes }

// Labels is what video i shows, nil if that is unknown.
func (d *Dataset) Labels(i int) []string {
	if class := d.videos[i].of.Class; class != "" {
		return []string{class}
	}
	return nil
}

// FPS is the frame rate of video i in frames a second, 0 for images whose rate is unknown.
func (d *Dataset) FPS(i int) float64 { return d.videos[i].of.FPS }

// Frame is the shape of all frames; see [clips.Reader].
func (d *Dataset) Frame() (height, width, channels int) {
	o := d.cache.decode
	return o.Size, cmp.Or(o.Width, o.Size), o.Channels
}

// Clip reads frames of a video from the cache; see [clips.Dataset] and [Dataset.Read].
func (d *Dataset) Clip(video, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, video, start, frames); err != nil {
		return clips.Clip{}, err
	}
	h, w, ch := d.Frame()
	clip := clips.NewClip(frames, h, w, ch)
	if err := d.Read(video, start, clip.Pix); err != nil {
		return clips.Clip{}, err
	}
	return clip, nil
}

// Read is [Dataset.Clip] into memory that is there; see [clips.Reader]. Frames that are damaged or
// missing are decoded again, with a line in the log.
func (d *Dataset) Read(video, start int, pix []uint8) error {
	h, w, ch := d.Frame()
	if err := clips.CheckRange(d, video, start, len(pix)/(h*w*ch)); err != nil {
		return err
	}
	v := d.videos[video]
	err := v.of.Read(v.from+start, pix)
	if errors.Is(err, store.ErrDamaged) {
		reason := err
		if _, err, _ = d.mends.Do(v.of.Name, func() (any, error) { return nil, d.mend(v.of, reason) }); err == nil {
			err = v.of.Read(v.from+start, pix)
		}
	}
	if err != nil {
		return fmt.Errorf("frames in the cache: %w", err)
	}
	return nil
}

// mend decodes a source again, unless another process did so while this one waited.
func (d *Dataset) mend(s *cached, reason error) error {
	unlock, err := d.cache.lock(d.ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.Verify() == nil {
		return nil
	}
	d.cache.log.Warn("frames in the cache are damaged; the video is decoded anew", "video", s.Name, "reason", reason)
	var again cached
	if err = s.isAsItWas(); err == nil {
		var broken error
		again, broken, err = d.cache.add(d.ctx, s.Source, func() {})
		err = errors.Join(broken, err)
	}
	if err == nil && again.Entry.Frames != s.Entry.Frames {
		err = fmt.Errorf("it has %d frames, before it had %d: start again", again.Entry.Frames, s.Entry.Frames)
	}
	if err != nil {
		return fmt.Errorf("%w; decoding the video anew: %w", reason, err)
	}
	return nil
}
