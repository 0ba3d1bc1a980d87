// Package atomicfile writes files that are either whole or not there.
package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Prefix is how the names of temporary files begin, so that a start after a kill can tell them from
// all others.
const Prefix = ".mcvd-tmp-"

// Write makes path: it fills a temporary file in the same folder, syncs it, renames it to path and
// syncs the folder. If fill or any later step fails, the temporary file is removed and path stays
// as it was. Write refuses folders and devices, such as /dev/null, which a rename would replace.
// fill may also let another process write to tmp.Name().
func Write(path string, fill func(tmp *os.File) error) error {
	return write(path, fill, (*os.File).Sync)
}

// write is [Write] with the function that syncs files and folders.
func write(path string, fill, sync func(*os.File) error) (err error) {
	if err := checkRegular(path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	var tmp *os.File
	_, unlock, err := temporary(func() (string, error) {
		var err error
		if tmp, err = os.CreateTemp(dir, Prefix+"*"+filepath.Ext(path)); err != nil {
			return "", err
		}
		return tmp.Name(), nil
	})
	if err != nil {
		return err
	}
	defer unlock()
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err := fill(tmp); err != nil {
		return err
	}
	if err := errors.Join(tmp.Chmod(0o644), sync(tmp), tmp.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir, sync)
}

// Prepare makes the folder that path lies in, with those above it, reports what [Write] would fail at,
// and removes what killed processes have left there. Commands call it before long work whose result
// goes to path. It leaves no file.
func Prepare(path string) error {
	if err := checkRegular(path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	Clean(dir)
	tmp, err := os.CreateTemp(dir, Prefix+"*")
	if err != nil {
		return err
	}
	if err := os.Remove(tmp.Name()); err != nil && !errors.Is(err, os.ErrNotExist) { // or another process cleans up
		return errors.Join(err, tmp.Close())
	}
	return tmp.Close()
}

func checkRegular(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a regular file, want another path", path)
	}
	return nil
}

// syncDir makes sure that a rename in dir survives a power cut.
func syncDir(dir string, sync func(*os.File) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(sync(d), d.Close())
}
