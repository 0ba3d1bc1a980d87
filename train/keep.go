package train

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"mcvd/configs"
	"mcvd/train/runs"
)

// numbered is a checkpoint of a step.
type numbered struct {
	path    string
	step    int
	written time.Time
}

// tidy removes the numbered checkpoints that are not to be kept.
func (r *Run) tidy(t configs.Train) error {
	var all []numbered
	for _, path := range r.Checkpoints() {
		info, err := os.Stat(path)
		if err != nil {
			continue // somebody else removed it
		}
		step, _ := runs.CheckpointStep(filepath.Base(path))
		all = append(all, numbered{path, step, info.ModTime()})
	}
	var errs []error
	for i, stays := range kept(t, all) {
		if !stays {
			errs = append(errs, os.Remove(all[i].path))
		}
	}
	return errors.Join(errs...)
}

// kept says which checkpoints stay, of a list with the newest first: the newest train.keep of them, those
// of steps that are multiples of train.keep_steps, and, from the oldest one on, each that was written
// train.keep_hours or more after the one before it that stays for its age.
func kept(t configs.Train, all []numbered) []bool {
	stays := make([]bool, len(all))
	interval := time.Duration(t.KeepHours * float64(time.Hour))
	var last time.Time
	for i := len(all) - 1; i >= 0; i-- {
		c := all[i]
		stays[i] = i < t.Keep || t.KeepSteps > 0 && c.step%t.KeepSteps == 0
		if interval > 0 && (last.IsZero() || c.written.Sub(last) >= interval) {
			stays[i], last = true, c.written
		}
	}
	return stays
}
