package folder

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	decoders  = 2 // ffmpeg itself uses several threads
	logPeriod = 5 * time.Second
)

// fill returns the videos of sources that can be read, in their order, and decodes those that the
// cache lacks.
func (c *cache) fill(ctx context.Context, sources []source) ([]cached, error) {
	videos := make([]cached, len(sources))
	var missing []int
	for i, s := range sources {
		var ok bool
		if videos[i], ok = c.lookup(s); !ok {
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 {
		if err := c.decodeAll(ctx, sources, missing, videos); err != nil {
			return nil, err
		}
	}
	usable := videos[:0]
	for _, v := range videos {
		if v.Frames > 0 {
			usable = append(usable, v)
		}
	}
	return usable, nil
}

// decodeAll decodes the missing sources into videos, and leaves zeros where that fails. It stops at
// the first failure that isn't a video's own, or at any failure if c.fail.
func (c *cache) decodeAll(ctx context.Context, sources []source, missing []int, videos []cached) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	c.log.Info("decoding videos", "videos", len(missing), "cache", c.dir)
	progress := &progress{log: c.log, of: len(missing), said: time.Now()}
	reasons := make([]error, len(sources)) // kept by place: the order of warnings doesn't depend on who is first
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(decoders)
	for _, i := range missing {
		group.Go(func() error {
			defer progress.video()
			if err := context.Cause(ctx); err != nil {
				return err
			}
			var ok bool
			if videos[i], ok = c.lookup(sources[i]); ok { // another process decoded it while we waited
				return nil
			}
			v, broken, err := c.add(ctx, sources[i], progress.frame)
			switch {
			case err != nil:
				return fmt.Errorf("decoding %s: %w", sources[i].name, err)
			case broken != nil && c.fail:
				return c.skip(problem{sources[i].name, broken})
			case broken != nil:
				reasons[i] = broken
				return nil
			}
			videos[i] = v
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, reason := range reasons {
		if reason != nil {
			if err := c.skip(problem{sources[i].name, reason}); err != nil {
				return err
			}
		}
	}
	return nil
}

// progress logs every few seconds how far decoding is.
type progress struct {
	log    *slog.Logger
	of     int
	mu     sync.Mutex
	videos int
	frames int
	said   time.Time
}

func (p *progress) frame() { p.add(0, 1) }
func (p *progress) video() { p.add(1, 0) }

func (p *progress) add(videos, frames int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.videos += videos
	p.frames += frames
	if time.Since(p.said) >= logPeriod {
		p.said = time.Now()
		p.log.Info("decoding videos", "done", p.videos, "of", p.of, "frames", p.frames)
	}
}
