package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// Whoever writes a temporary file or folder holds a lock on it, which ends with the process. So others
// can tell what a killed process has left from what is being written.

// temporary makes a file or a folder with a name that is free, and locks it. make is os.CreateTemp or
// the like, and returns the path.
func temporary(make func() (path string, err error)) (path string, unlock func(), err error) {
	const tries = 10 // each one fails only if another process cleans up at this very moment
	for range tries {
		if path, err = make(); err != nil {
			return "", nil, err
		}
		lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
		got, err := lock.TryLock()
		// Some network file systems have no locks. There, Clean can't remove anything.
		if noLocks := err != nil && !errors.Is(err, os.ErrNotExist); noLocks || got && isAt(lock, path) {
			return path, func() { lock.Close() }, nil
		}
		lock.Close()
	}
	return "", nil, fmt.Errorf("%s: other processes removed it %d times", filepath.Dir(path), tries)
}

// isAt says whether what a lock is held on is what lies at the path.
func isAt(lock *flock.Flock, path string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(held, there)
}

// TempDir makes a temporary folder in dir, for files that then move to their places. done removes it
// with all that is in it by then.
func TempDir(dir string) (path string, done func() error, err error) {
	path, unlock, err := temporary(func() (string, error) { return os.MkdirTemp(dir, Prefix) })
	if err != nil {
		return "", nil, err
	}
	return path, func() error {
		defer unlock()
		return os.RemoveAll(path)
	}, nil
}

// Clean removes the temporary files and folders in dir that killed processes have left. What a process
// is writing stays, and so does everything on file systems without locks.
func Clean(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), Prefix) || !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
		if got, err := lock.TryLock(); err == nil && got && isAt(lock, path) {
			os.RemoveAll(path)
		}
		lock.Close()
	}
}
