package converted

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"mcvd/data/store"
	films "mcvd/data/video"
)

// Checked counts what was verified.
type Checked struct{ Files, Videos, Frames, Broken int }

// Verify reads everything in a store, or in the cache of a folder of videos, workers files at a
// time. It returns a line for each thing that is broken: a file, or frames of a video. Nothing is
// changed. An error says that there was nothing to verify.
func Verify(ctx context.Context, dir string, workers int) (Checked, []string, error) {
	x, paths, broken, err := find(dir)
	if err != nil {
		return Checked{}, nil, err
	}
	checks := make([]check, len(paths))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, path := range paths {
		group.Go(func() error {
			checks[i].name = path
			checks[i].file(ctx, filepath.Join(dir, filepath.FromSlash(path)), x[path])
			return context.Cause(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		return Checked{}, nil, err
	}
	var sum Checked
	for _, c := range checks {
		sum.Files++
		sum.Videos += c.Videos
		sum.Frames += c.Frames
		broken = append(broken, c.lines...)
	}
	sum.Broken = len(broken)
	return sum, broken, nil
}

// find lists the files of a store or a cache, with slashes, what an index says of them, and what is
// wrong with the index.
func find(dir string) (named map[string]shard, paths, broken []string, err error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, nil, nil, err
	} else if !info.IsDir() {
		return nil, nil, nil, fmt.Errorf("%s: not a folder, want a converted store or a cache of decoded videos", dir)
	}
	named = map[string]shard{}
	x, err := open(dir)
	isStore, whole := err == nil, err == nil
	switch {
	case whole:
		for _, s := range x.Shards {
			named[s.Name] = s
			paths = append(paths, s.Name)
		}
	case !errors.Is(err, fs.ErrNotExist):
		isStore = true
		broken = append(broken, err.Error())
	}
	for _, pattern := range []string{"*", "train/*", "valid/*", "test/*", cacheFolder + "/*"} {
		found, err := fs.Glob(os.DirFS(dir), pattern+store.Extension)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, path := range found {
			if _, ok := named[path]; ok {
				continue
			}
			paths = append(paths, path)
			if whole {
				broken = append(broken, path+": the index does not name it")
			}
		}
	}
	if len(paths) == 0 && !isStore {
		return nil, nil, nil, fmt.Errorf("%s: neither a converted store nor a cache of decoded videos: no *%s in it", dir, store.Extension)
	}
	slices.Sort(paths)
	return named, paths, broken, nil
}

// check is what was found in one file.
type check struct {
	Checked
	name  string
	lines []string
}

func (c *check) say(format string, a ...any) {
	c.lines = append(c.lines, c.name+": "+fmt.Sprintf(format, a...))
}

// file verifies a file. want is what an index says of it, or zero.
func (c *check) file(ctx context.Context, path string, want shard) {
	f, err := store.OpenFile(path)
	if err != nil {
		if c.say("%v", err); want.Videos > 0 {
			c.lines[0] += fmt.Sprintf("; videos lost: %d", want.Videos)
		}
		return
	}
	if want.Bytes > 0 && (f.Size() != want.Bytes || f.Sum() != want.Sum) {
		c.say("another file than the index names: %d bytes with the checksum %08x, want %d with %08x", f.Size(), f.Sum(), want.Bytes, want.Sum)
	}
	for i, e := range f.Entries() {
		if ctx.Err() != nil {
			return
		}
		c.Videos++
		c.Frames += e.Frames
		c.video(f.Source(i).Name, e)
		c.source(path, f.Source(i))
	}
}

// cacheFolder is where a folder of videos has its cache.
const cacheFolder = ".mcvd-cache"

// source compares a video of a cache in the folder of its videos with what it was decoded from: a file
// of the same size and time may have other bytes, which decode to other frames without an error.
func (c *check) source(path string, s store.Source) {
	cache := filepath.Dir(path)
	if s.Content == "" || filepath.Base(cache) != cacheFolder {
		return
	}
	from := filepath.Join(filepath.Dir(cache), filepath.FromSlash(s.Name))
	files := []string{from}
	info, err := os.Stat(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return // the source was removed, or moved, and its frames are of no use
	case err == nil && info.IsDir():
		files, err = films.Images(from)
	case err == nil && (info.Size() != s.Bytes || !info.ModTime().Equal(s.Modified)):
		return // it was replaced, which every command notices
	}
	content := ""
	if err == nil {
		content, err = store.Content(files...)
	}
	switch {
	case err != nil:
		c.say("video %s: its source can't be read: %v", s.Name, err)
	case content != s.Content:
		c.say("video %s: its source has the checksum %s, and had %s when it was decoded: it is damaged, or was changed with the same size and time", s.Name, content, s.Content)
	}
}

// video verifies a video. Frames that are broken one after the other are one line.
func (c *check) video(name string, e store.Entry) {
	first, last := -1, -1
	var reason error
	flush := func() {
		switch {
		case first < 0:
		case first == last:
			c.say("video %s: %v", name, reason)
		default:
			c.say("video %s: frames %d to %d: %v", name, first, last, reason)
		}
	}
	for frame, err := range e.Broken() {
		if first < 0 || frame != last+1 {
			flush()
			first, reason = frame, err
		}
		last = frame
	}
	flush()
}
