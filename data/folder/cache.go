package folder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"mcvd/data/store"
	"mcvd/data/video"
)

// cache is the store of decoded frames, together with what the folder knows about its videos.
type cache struct {
	store  *store.Store
	dir    string
	decode video.DecodeOptions
	fail   bool // a broken file is an error
	log    *slog.Logger

	problems []problem
}

// cached is a video whose frames the cache holds.
type cached struct {
	source
	store.Entry
}

// video says what the cached frames of a source were made from.
func (c *cache) video(s source) store.Video {
	o := c.decode
	settings := fmt.Sprintf("%d %d %g %s", o.Size, o.Channels, o.FPS, o.Crop)
	if s.isImages && o.ImageFPS > 0 {
		settings += fmt.Sprintf(" %g", o.ImageFPS)
	}
	return store.Video{Name: s.name, Bytes: s.bytes, Modified: s.modified, Settings: settings,
		Height: o.Size, Width: o.Size, Channels: o.Channels}
}

// lookup finds a video's frames.
func (c *cache) lookup(s source) (cached, bool) {
	e, ok := c.store.Find(c.video(s))
	return cached{s, e}, ok
}

// add decodes a video into the cache. broken is what is wrong with the video, err what would be
// wrong with any.
func (c *cache) add(ctx context.Context, s source, each func()) (v cached, broken, err error) {
	var full error // the disk, most likely
	e, err := c.store.Put(c.video(s), func(add func([]uint8) error) (fps float64, err error) {
		d, err := video.Decode(ctx, s.path, c.decode, func(frame []uint8) error {
			each()
			full = add(frame)
			return full
		})
		if err != nil && full == nil && ctx.Err() == nil && !errors.Is(err, video.ErrTool) {
			broken = err
		}
		return d.FPS, err
	})
	if broken != nil {
		return cached{}, broken, nil
	}
	return cached{s, e}, nil, err
}

// lock waits until no other process decodes into the cache, and makes others wait.
func (c *cache) lock(ctx context.Context) (unlock func(), err error) {
	unlock, err = c.store.Lock(ctx)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("data.options.cache: %s: can't write decoded frames: %w; set it to a folder that is writable", c.dir, err)
	}
	return unlock, err
}

// skip names a file that can't be used and counts it. If broken files are errors, it fails instead.
func (c *cache) skip(p problem) error {
	if c.fail {
		return fmt.Errorf("%w (data.on_error: skip would leave it out)", p)
	}
	c.log.Warn("file can't be used and is left out", "file", p.name, "reason", p.err)
	c.problems = append(c.problems, p)
	return nil
}
