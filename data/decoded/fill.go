package decoded

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

// fill returns the sources that can be read, in their order, and decodes those that the cache lacks.
func (c *cache) fill(ctx context.Context, sources []Source) ([]cached, error) {
	filled := make([]cached, len(sources))
	var missing []int
	for i, s := range sources {
		var ok bool
		if filled[i], ok = c.lookup(s); !ok {
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 {
		if err := c.decodeAll(ctx, sources, missing, filled); err != nil {
			return nil, err
		}
	}
	usable := filled[:0]
	for _, s := range filled {
		if s.Entry.Frames > 0 {
			usable = append(usable, s)
		}
	}
	return usable, nil
}

// decodeAll decodes the missing sources into filled, and leaves zeros where that fails. It stops at
// the first failure that isn't a video's own, or at any failure if c.fail.
func (c *cache) decodeAll(ctx context.Context, sources []Source, missing []int, filled []cached) error {
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
			if filled[i], ok = c.lookup(sources[i]); ok { // another process decoded it while we waited
				return nil
			}
			v, broken, err := c.add(ctx, sources[i], progress.frame)
			switch {
			case err != nil:
				return fmt.Errorf("decoding %s: %w", sources[i].Name, err)
			case broken != nil && c.fail:
				return c.skip(Problem{sources[i].Name, broken})
			case broken != nil:
				reasons[i] = broken
				return nil
			}
			filled[i] = v
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, reason := range reasons {
		if reason != nil {
			if err := c.skip(Problem{sources[i].Name, reason}); err != nil {
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
