package train

import (
	"errors"
	"fmt"
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
	"mcvd/train/runs"
)

// Check reports why an experiment can't be trained in a folder, new or not: no folder can be there,
// it is somebody else's, another process trains in it, or it holds another experiment. It writes
// nothing, and reads no weights.
func Check(dir string, c *configs.Config) error {
	if err := checkPlace(dir); err != nil {
		return err
	}
	if runs.Locked(dir) {
		return errLocked(dir)
	}
	if err := checkSameExperiment(dir, c); err != nil {
		return err
	}
	run := &Run{dir, c}
	for _, path := range run.Checkpoints() {
		f, err := weights.Open(path)
		if err != nil {
			continue // it is broken: training takes an older one
		}
		if f, _, err = run.own(f, Progress{}); err != nil {
			return err
		}
		defer f.Close()
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
	for _, name := range runs.Files() {
		// Opening a named pipe would wait for whoever is at its other end.
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s: not a regular file, want a run's own; use another folder", filepath.Join(dir, name))
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

func checkSameExperiment(dir string, c *configs.Config) error {
	if _, err := os.Stat(filepath.Join(dir, runs.ConfigFile)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	old, err := OpenRun(dir)
	if err != nil {
		return err
	}
	if diff := forbidden(old.Config, c); len(diff) > 0 {
		return fmt.Errorf("%[1]s: holds another experiment; use another folder, go on with its own settings (`mcvd train %[1]s`), or give the same (only %s may change):\n  %s",
			dir, MayChange, strings.Join(diff, "\n  "))
	}
	return nil
}

// MayChange names the settings that a run may change when it is resumed: how long it is trained, on
// what it is computed, and where files are. They change steps by rounding at most.
const MayChange = "train.steps, train.devices, train.gradient_checkpointing, train.keep, train.scores, train.tensorboard and data.path"

// forbidden lists, a line each, the changes with which a run must not go on: of all settings that
// are not in [MayChange]. With them, the steps to come would not belong to the same experiment.
func forbidden(was, is *configs.Config) []string {
	same := *was
	same.Train.Steps, same.Train.Devices, same.Train.Keep = is.Train.Steps, is.Train.Devices, is.Train.Keep
	same.Train.GradientCheckpointing, same.Train.TensorBoard = is.Train.GradientCheckpointing, is.Train.TensorBoard
	same.Train.Scores, same.Data.Path = is.Train.Scores, is.Data.Path
	return configs.Diff(&same, is)
}

// CheckBackend reports settings that the backend can't do. Train does it, too, but a program that opens
// data first does not want to learn it after that.
func CheckBackend(b compute.Backend, c *configs.Config) error {
	if _, err := nn.Precision(b, c.Train.Precision); err != nil {
		return fmt.Errorf("train.%w", err)
	}
	if _, err := nn.Precision(b, c.Sampler.Precision); err != nil && c.Train.SampleEvery > 0 {
		return fmt.Errorf("sampler.%w, or train.sample_every: 0", err)
	}
	if _, err := devices.Open(b, c.Train.Devices, c.Train.Batch); err != nil {
		return fmt.Errorf("train.devices: %w", err)
	}
	return nil
}
