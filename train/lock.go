package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"mcvd/train/runs"
)

// lockPatience is how long training waits for the lock. Whoever asks whether a run is being trained
// holds it for a moment.
const lockPatience = 200 * time.Millisecond

// locker takes a lock, waiting for it as long as ctx lasts.
type locker interface {
	TryLockContext(ctx context.Context, retry time.Duration) (bool, error)
	Unlock() error
}

func flockOf(path string) locker { return flock.New(path) }

// claimed is a run folder of this process.
type claimed struct {
	path   string      // of the lock's file
	file   fs.FileInfo // that file, as it was locked
	unlock func()
}

// claim makes a run folder's folders and takes its lock. Some network file systems have no locks: there
// it goes on without one, and says so.
func claim(dir string, lockOf func(path string) locker) (*claimed, error) {
	for _, d := range []string{dir, filepath.Join(dir, runs.CheckpointsDir), filepath.Join(dir, runs.SamplesDir)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("run folder: %w", err)
		}
	}
	c := &claimed{path: filepath.Join(dir, runs.LockFile), unlock: func() {}}
	lock := lockOf(c.path)
	patience, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	locked, err := lock.TryLockContext(patience, lockPatience/20)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		slog.Warn("this file system has no locks: nothing keeps a second process from training in the same folder", "folder", dir)
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%s: locking the run folder: %w", dir, err)
	case !locked:
		return nil, errLocked(dir)
	default:
		c.unlock = func() { lock.Unlock() }
	}
	if c.file, err = fileOf(lock, c.path); err == nil {
		err = c.check() // it may have been removed between opening and locking it
	}
	if err != nil {
		c.unlock()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return c, nil
}

// fileOf is the file that a lock is held on. One without a lock is what lies at the path.
func fileOf(lock locker, path string) (fs.FileInfo, error) {
	if held, ok := lock.(*flock.Flock); ok && held.Locked() {
		return held.Stat()
	}
	f, err := os.OpenFile(path, os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

// errReplaced is in the error of a process whose run folder was removed, moved or replaced.
var errReplaced = errors.New("the run folder was removed or replaced while this process trained in it; nothing was written at its path")

// check reports that what lies at the path is no longer what was claimed.
func (c *claimed) check() error {
	if there, err := os.Lstat(c.path); err != nil || !os.SameFile(c.file, there) {
		return errReplaced
	}
	return nil
}

// guard reports that what lies at the run's path is no longer the folder that this process has claimed.
// What it wrote there would get into somebody else's run.
func (r *Run) guard() error {
	if r.claimed == nil {
		return nil // a run that is only read
	}
	if err := r.claimed.check(); err != nil {
		return fmt.Errorf("%s: %w", r.Dir, err)
	}
	return nil
}
