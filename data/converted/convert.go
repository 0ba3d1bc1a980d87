package converted

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
	"mcvd/data/store"
)

// From is what is converted.
type From struct {
	// Open opens a split. It is called once for each.
	Open func(ctx context.Context, split clips.Split) (clips.Dataset, error)
	// Path is the folder of the source, "" if it has none. A change of its files is noticed.
	Path string
	// Format is that of the frames. Its Settings are the source's, without its path.
	Format store.Format
	// Splits are those to convert.
	Splits []clips.Split
	// Videos and Frames are the most videos of a split, and the most frames of a video; 0 is all.
	Videos, Frames int
	// ShardBytes is up to how many bytes of frames a shard has. A longer video has one of its own.
	ShardBytes int64
}

// Result counts what a store holds.
type Result struct {
	Shards, Kept, Videos, Frames int // Kept are the shards that were there before
	Bytes                        int64
}

// Convert writes a store into the folder dir, workers shards at a time. The same source gives the
// same bytes. If it ends early, by an error or a kill, the same call goes on: shards that are there
// are verified, compared with the first frame of their source, and kept. It fails if dir was begun
// from another source, or holds other things. step is called when a shard is done, one at a time.
func Convert(ctx context.Context, dir string, from From, workers int, log *slog.Logger, step func(done, of int)) (Result, error) {
	if err := isFree(dir); err != nil {
		return Result{}, err
	}
	var parts []part
	for _, split := range from.Splits {
		ds, err := from.Open(ctx, split)
		if err != nil {
			return Result{}, err
		}
		p, err := newPart(split, ds, from.Videos, from.Frames)
		if err != nil {
			return Result{}, err
		}
		parts = append(parts, p)
	}
	x, jobs := plan(parts, from.Format, from.ShardBytes)
	var err error
	if x.Source, err = fingerprint(from.Path); err != nil {
		return Result{}, err
	}
	unlock, err := store.New(dir, log).Lock(ctx)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if err := begin(dir, x, from.Splits); err != nil {
		return Result{}, err
	}
	c := &conversion{dir: dir, index: x, log: log, step: step}
	if err := c.all(ctx, jobs, workers); err != nil {
		return Result{}, err
	}
	if now, err := fingerprint(from.Path); err != nil || now != x.Source {
		return Result{}, errors.Join(err, fmt.Errorf("%s: files were changed while they were converted; remove %s and convert again", from.Path, dir))
	}
	if err := c.index.write(filepath.Join(dir, indexName)); err != nil {
		return Result{}, err
	}
	return c.result, os.RemoveAll(filepath.Join(dir, planName))
}

// isFree refuses a folder that holds other things than a store.
func isFree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	own := []string{indexName, planName, "lock"}
	if !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return slices.Contains(own, e.Name()) }) {
		return fmt.Errorf("%s: holds %s and is no store: want a new or an empty folder", dir, entries[0].Name())
	}
	return nil
}

// begin compares the plan with what is there, or writes it, and makes the folders.
func begin(dir string, x index, splits []clips.Split) error {
	whole := false
	for _, name := range []string{indexName, planName} {
		before, err := read(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := before.isSame(x); err != nil {
			return fmt.Errorf("%s was begun before, and %w; choose another folder, or remove it first", dir, err)
		}
		whole = whole || name == indexName
	}
	for _, split := range splits {
		folder := filepath.Join(dir, string(split))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		atomicfile.Clean(folder)
	}
	if whole {
		return nil
	}
	return x.write(filepath.Join(dir, planName))
}

// conversion is what the workers share.
type conversion struct {
	dir   string
	index index
	log   *slog.Logger
	step  func(done, of int)

	mu     sync.Mutex
	result Result
}

// all writes the shards that are missing.
func (c *conversion) all(ctx context.Context, jobs []job, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, j := range jobs {
		group.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			done, kept, err := c.one(ctx, j)
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Join(c.dir, filepath.FromSlash(j.Name)), err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.index.Shards[i].Bytes, c.index.Shards[i].Sum = done.Bytes, done.Sum
			c.result.Shards++
			c.result.Videos += done.Videos
			c.result.Frames += done.Frames
			c.result.Bytes += done.Bytes
			if kept {
				c.result.Kept++
			}
			c.step(c.result.Shards, len(jobs))
			return nil
		})
	}
	return group.Wait()
}

// one writes a shard, unless it is there already.
func (c *conversion) one(ctx context.Context, j job) (done store.Written, kept bool, err error) {
	path := filepath.Join(c.dir, filepath.FromSlash(j.Name))
	f, err := store.OpenFile(path)
	if err == nil {
		err = c.isDone(ctx, j, f)
	}
	switch {
	case err == nil:
		return store.Written{Videos: j.Videos, Frames: j.Frames, Bytes: f.Size(), Sum: f.Sum()}, true, nil
	case ctx.Err() != nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrDamaged):
		return store.Written{}, false, err
	case !errors.Is(err, fs.ErrNotExist):
		c.log.Warn("shard is damaged and is written again", "shard", j.Name, "reason", err)
	}
	done, err = store.WriteFile(path, c.index.Format, func(w *store.Writer) error {
		for i := range j.Videos {
			video := j.first + i
			_, err := w.Add(store.Source{Name: j.part.ds.Name(video)}, func(add func([]uint8) error) (float64, error) {
				return clips.FPS(j.part.ds, video), c.stream(ctx, j.part, video, add)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", j.part.ds.Name(video), err)
			}
		}
		return nil
	})
	return done, false, err
}

// isDone verifies a shard that is there. Damage is [store.ErrDamaged]; whole frames of other videos
// are another error.
func (c *conversion) isDone(ctx context.Context, j job, f *store.File) error {
	other := errors.New("holds other videos than the plan says; remove it, or choose another folder")
	if f.Format != c.index.Format || len(f.Entries()) != j.Videos {
		return other
	}
	for i, e := range f.Entries() {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		video := j.first + i
		if e.Frames != j.part.length(video) || f.Source(i) != (store.Source{Name: j.part.ds.Name(video)}).Written() {
			return other
		}
		if err := e.Verify(); err != nil {
			return fmt.Errorf("%s: %w", j.part.ds.Name(video), err)
		}
	}
	stored := make([]uint8, c.index.FrameSize())
	if err := f.Entries()[0].Read(0, stored); err != nil {
		return err
	}
	again, err := c.read(j.part, j.first, 0, min(c.block(), j.part.length(j.first)))
	if err == nil && !bytes.Equal(stored, again.Pix[:len(stored)]) {
		err = fmt.Errorf("%s: its first frame is another than in the source, which was changed; remove %s and convert again",
			j.part.ds.Name(j.first), c.dir)
	}
	return err
}

// blockBytes is up to how many bytes of frames are read at a time.
const blockBytes = 32 << 20

// block is how many frames are read at a time: two or more.
func (c *conversion) block() int { return max(2, blockBytes/c.index.FrameSize()) }

// stream adds the frames of a video, block by block. Each block begins with the last frame of the
// one before: a data set that draws something for each clip, such as a crop, would give another
// one.
func (c *conversion) stream(ctx context.Context, p part, video int, add func([]uint8) error) error {
	size, length := c.index.FrameSize(), p.length(video)
	var last []uint8
	for start := 0; start < length; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		from := max(0, start-1)
		clip, err := c.read(p, video, from, min(c.block(), length-from))
		if err != nil {
			return err
		}
		if last != nil && !bytes.Equal(last, clip.Pix[:size]) {
			return fmt.Errorf("frame %d depends on where a clip begins, and the video is too long to be read as one", from)
		}
		for i := start - from; i < clip.Frames; i++ {
			if err := add(clip.Pix[i*size:][:size]); err != nil {
				return err
			}
		}
		start = from + clip.Frames
		last = clip.Pix[len(clip.Pix)-size:]
	}
	return nil
}

// read reads frames of a video, and compares their size.
func (c *conversion) read(p part, video, start, frames int) (clips.Clip, error) {
	clip, err := p.ds.Clip(video, start, frames)
	if err == nil && (clip.Height != c.index.Height || clip.Width != c.index.Width || clip.Channels != c.index.Channels ||
		clip.Frames != frames || len(clip.Pix) != frames*c.index.FrameSize()) {
		err = fmt.Errorf("%d frames of %dx%dx%d, want %d of %dx%dx%d", clip.Frames, clip.Height, clip.Width, clip.Channels, frames,
			c.index.Height, c.index.Width, c.index.Channels)
	}
	return clip, err
}
