package decoded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"mcvd/data/store"
	"mcvd/data/video"
)

// cache is the store of decoded frames, together with how they are decoded.
type cache struct {
	store  *store.Store
	dir    string
	decode video.DecodeOptions
	fail   bool // a broken file is an error
	log    *slog.Logger

	problems []Problem
}

// cached is a source whose frames the cache holds.
type cached struct {
	Source
	store.Entry
}

// stored says what the cached frames of a source were made from.
func (c *cache) stored(s Source) store.Video {
	o := c.decode
	width := cmp.Or(o.Width, o.Size)
	settings := fmt.Sprintf("%d %d %g %s", o.Size, o.Channels, o.FPS, o.Crop)
	if s.isImages() && o.ImageFPS > 0 {
		settings += fmt.Sprintf(" %g", o.ImageFPS)
	}
	if width != o.Size || o.Filter != "" {
		settings += fmt.Sprintf(" width %d filter %s", width, o.Filter)
	}
	return store.Video{Name: s.Name, Bytes: s.Bytes, Modified: s.Modified, Settings: settings,
		Height: o.Size, Width: width, Channels: o.Channels}
}

// lookup finds a source's frames.
func (c *cache) lookup(s Source) (cached, bool) {
	e, ok := c.store.Find(c.stored(s))
	return cached{s, e}, ok
}

// add decodes a source into the cache. broken is what is wrong with the source, err what would be
// wrong with any.
func (c *cache) add(ctx context.Context, s Source, each func()) (v cached, broken, err error) {
	var full error // the disk, most likely
	of := c.stored(s)
	if of.Content, broken = s.content(); broken != nil {
		return cached{}, broken, nil
	}
	e, err := c.store.Put(of, func(add func([]uint8) error) (fps float64, err error) {
		d, err := s.decode(ctx, c.decode, func(frame []uint8) error {
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
func (c *cache) skip(p Problem) error {
	if c.fail {
		return fmt.Errorf("%w (data.on_error: skip would leave it out)", p)
	}
	c.log.Warn("file can't be used and is left out", "file", p.Name, "reason", p.Err)
	c.problems = append(c.problems, p)
	return nil
}
