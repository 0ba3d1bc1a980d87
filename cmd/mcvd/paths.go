package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mcvd/configs/atomicfile"
	"mcvd/train/runs"
)

// owned is a folder whose files belong to something; the folder "" is none.
type owned struct{ what, folder string }

// prepareFile reports what writing a file would fail at, which a flag names: a path that can't be
// written, or that lies in a folder whose files are its own, or among the files of a run. No path is
// no mistake.
func prepareFile(flag, path string, folders ...owned) error {
	if path == "" {
		return nil
	}
	for _, of := range folders {
		if of.folder != "" {
			if err := notBelow(flag, of.what, of.folder, path); err != nil {
				return err
			}
		}
	}
	if err := notAmongRuns(flag, path, filepath.Dir(path)); err != nil {
		return err
	}
	if err := atomicfile.Prepare(path); err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return nil
}

// notAmongRuns refuses the path that a flag names if its folder is that of a run, or one of those
// that a run keeps its checkpoints and samples in. Other folders in a run, such as predict's, are
// anybody's.
func notAmongRuns(flag, path, folder string) error {
	d, err := resolved(folder)
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, path, err)
	}
	for below := ""; ; below, d = filepath.Base(d), filepath.Dir(d) {
		own := below == "" || below == runs.CheckpointsDir || below == runs.SamplesDir
		if own && runs.Is(d) {
			return fmt.Errorf("%s %s: lies among the files of the run %s; want another place", flag, path, d)
		}
		if d == filepath.Dir(d) {
			return nil
		}
	}
}

// notBelow refuses the path that a flag names if it lies in a folder whose files belong to something
// else.
func notBelow(flag, what, folder, out string) error {
	below, err := isBelow(folder, out)
	if err == nil && below {
		err = fmt.Errorf("lies in %s, %s, whose files are its own; want another place", what, folder)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, out, err)
	}
	return nil
}

// isBelow says whether a path is a folder or lies below it, whatever links lead there. Neither of the
// two has to exist.
func isBelow(folder, path string) (bool, error) {
	root, err := resolved(folder)
	if err != nil {
		return false, err
	}
	d, err := resolved(path)
	if err != nil {
		return false, err
	}
	there, _ := os.Stat(root)
	for ; ; d = filepath.Dir(d) {
		here, err := os.Stat(d)
		switch {
		case d == root, err == nil && there != nil && os.SameFile(here, there):
			return true, nil
		case d == filepath.Dir(d):
			return false, nil
		}
	}
}

// resolved is where a path leads, through links. What is not there yet stays as it is written.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	rest := ""
	for err == nil {
		var real string
		if real, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Join(real, rest), nil
		}
		if errors.Is(err, os.ErrNotExist) {
			path, rest, err = filepath.Dir(path), filepath.Join(filepath.Base(path), rest), nil
		}
	}
	return "", err
}

// sameFile says whether two paths, of which b may not exist, are one file.
func sameFile(a, b string) (bool, error) {
	other, err := os.Stat(b)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	info, err := os.Stat(a)
	return err == nil && os.SameFile(info, other), err
}
