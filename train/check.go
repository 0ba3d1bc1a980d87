package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/models/devices"
	"mcvd/models/nn"
	"mcvd/models/weights"
	"mcvd/train/ranks"
	"mcvd/train/runs"
)

// Check reports why an experiment can't be trained in a folder, new or not: no folder can be there,
// it is somebody else's, another process trains in it, or it holds another experiment. If accept, other
// settings are none, as long as the weights mean the same. It writes nothing, and reads no weights.
func Check(dir string, c *configs.Config, accept bool) error {
	if err := checkPlace(dir); err != nil {
		return err
	}
	if runs.Locked(dir) {
		return errLocked(dir)
	}
	if err := checkSameExperiment(dir, c, accept); err != nil {
		return err
	}
	run := &Run{Dir: dir, Config: c}
	for _, path := range run.Checkpoints() {
		f, err := weights.Open(path)
		if err != nil {
			continue // it is broken: training takes an older one
		}
		if f, _, err = run.own(f, Progress{}); err != nil {
			return err
		}
		defer f.Close()
		if accept {
			return nil
		}
		return run.checkUnchanged(f)
	}
	return checkTeacher(c)
}

// CheckNew reports a path that can't become a run folder, because it holds a run or parts of one,
// or no folder can be there.
func CheckNew(dir string) error {
	for _, name := range []string{runs.ConfigFile, runs.LogFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s: holds a run already; use another folder", dir)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, unfinished)); err == nil {
		return checkPlace(dir) // what a killed process has left is no run
	}
	entries, _ := os.ReadDir(filepath.Join(dir, runs.CheckpointsDir))
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), atomicfile.Prefix) {
			return fmt.Errorf("%s: holds %s of a run already; use another folder", dir, filepath.Join(runs.CheckpointsDir, e.Name()))
		}
	}
	return checkPlace(dir)
}

func errLocked(dir string) error {
	return fmt.Errorf("%s: another process is training in this run folder", dir)
}

// checkPlace reports a path that can't be a run folder, whatever the experiment.
func checkPlace(dir string) error {
	if err := checkFolders(dir); err != nil {
		return err
	}
	for _, name := range append(runs.Files(), runs.CheckpointsDir, runs.SamplesDir) {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		folder := name == runs.CheckpointsDir || name == runs.SamplesDir
		switch {
		case err != nil:
		case info.Mode().Type() == fs.ModeSymlink:
			// What it leads to may be anything, and training overwrites it.
			return fmt.Errorf("%s: a link, want a run's own; only the run folder as a whole may be one", path)
		case !folder && !info.Mode().IsRegular():
			// Opening a named pipe would wait for whoever is at its other end.
			return fmt.Errorf("%s: not a regular file, want a run's own; use another folder", path)
		case folder && !info.IsDir():
			return fmt.Errorf("%s: not a folder, want a run's own; use another run folder", path)
		}
	}
	return checkForeign(dir)
}

// checkFolders reports what lies where a folder has to be.
func checkFolders(dir string) error {
	for _, d := range append(above(dir), dir) {
		if info, err := os.Stat(d); err == nil && !info.IsDir() {
			return fmt.Errorf("%s: can't be a run folder, because %s is not a folder", dir, d)
		}
	}
	return nil
}

// checkForeign reports a folder that holds something, but neither a run nor parts of one. Hidden
// files may lie anywhere.
func checkForeign(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, runs.ConfigFile)); err == nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	own := append(runs.Files(), runs.CheckpointsDir, runs.SamplesDir)
	for _, e := range entries {
		if !slices.Contains(own, e.Name()) && !strings.HasPrefix(e.Name(), ".") {
			return fmt.Errorf("%s: not a run folder, because it holds %s; want a new or empty folder", dir, e.Name())
		}
	}
	return nil
}

func checkSameExperiment(dir string, c *configs.Config, accept bool) error {
	if _, err := os.Stat(filepath.Join(dir, runs.ConfigFile)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	old, err := OpenRun(dir)
	if err != nil {
		return err
	}
	if diff := Differences(old.Config, c); len(diff) > 0 && accept {
		return fmt.Errorf("%s: its weights mean something else, which --accept-changes can't change; use another folder:\n  %s", dir, strings.Join(diff, "\n  "))
	}
	if diff := forbidden(old.Config, c); len(diff) > 0 && !accept {
		return fmt.Errorf("%[1]s: holds another experiment; use another folder, go on with its own settings (`mcvd train %[1]s`), give the same, or give `mcvd train` --accept-changes if the changes are meant (only %s may change without it):\n  %s",
			dir, MayChange, strings.Join(diff, "\n  "))
	}
	return nil
}

// CheckBackend reports settings that the backend can't do. Train does it, too, but a program that opens
// data first does not want to learn it after that.
func CheckBackend(b compute.Backend, c *configs.Config, r *ranks.Ranks) error {
	if _, err := nn.Precision(b, c.Train.Precision); err != nil {
		return fmt.Errorf("train.%w", err)
	}
	if _, err := nn.Precision(b, c.Sampler.Precision); err != nil && c.Train.SampleEvery > 0 {
		return fmt.Errorf("sampler.%w, or train.sample_every: 0", err)
	}
	if _, err := devices.Open(b, c.Train.Devices, c.Train.Batch/r.Size()); err != nil {
		return fmt.Errorf("train.devices: %w", err)
	}
	return nil
}
