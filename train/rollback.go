package train

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mcvd/configs/atomicfile"
	"mcvd/train/runs"
)

// maxRollbacks is how often training goes back to the newest checkpoint, and then as often to the one with
// the lowest validation loss, without getting past the step at which it diverged. If it still diverges
// then, the batches are not the reason.
const maxRollbacks = 3

// diverged is the error of a training whose loss or weights are not finite.
type diverged struct {
	at  Progress
	err error
}

func (d diverged) Error() string { return d.err.Error() }
func (d diverged) Unwrap() error { return d.err }

// rollback is how an attempt to train begins after one that diverged; the zero value is no rollback.
type rollback struct {
	Passed int // the number of steps whose batches are passed over
	Times  int // how often it went back without getting past the step Until
	Until  int
}

// begin makes a checkpoint's progress that of an attempt.
func (b rollback) begin(p Progress) Progress {
	p.Passed += b.Passed
	p.Unlogged.Passed += b.Passed
	if b.Times > 0 {
		p.Rollbacks, p.DivergedAt = b.Times, b.Until
	}
	return p
}

// next is the rollback after an attempt that ended with err. The error is what the training ends with if
// there is none.
func (r *Run) next(o Options, err error) (b rollback, _ error) {
	var d diverged
	if !errors.As(err, &d) {
		return b, err
	}
	to := r.regular()
	if o.Config.Train.OnDivergence != "rollback" {
		return b, fmt.Errorf("%w; checkpoints are untouched, %s: try a lower optimizer.learning_rate, or train.on_divergence: rollback, which goes back and on with other batches", err, to.said())
	}
	b.Times, b.Until = d.at.Rollbacks+1, max(d.at.Step, d.at.DivergedAt)
	if b.Times > maxRollbacks {
		best, found := r.best(b.Until)
		if !found || b.Times > 2*maxRollbacks {
			return b, fmt.Errorf("%w, and so it was after each of %d rollbacks; %s: try a lower optimizer.learning_rate", err, b.Times-1, to.said())
		}
		to = best
	}
	if err := r.backTo(to); err != nil {
		return b, err
	}
	b.Passed = d.at.Draw() - to.Draw()
	o.Log.Warn("training diverged; it goes back to a checkpoint, and passes over the batches since then",
		"reason", err, "step", to.Step, "batches_of_steps", b.Passed)
	return b, nil
}

// said says of what step a checkpoint is.
func (p Progress) said() string {
	if p.Step == 0 {
		return "there is none yet"
	}
	return fmt.Sprintf("the newest good one is of step %d", p.Step)
}

// regular is the progress of the newest checkpoint of a step at which one is due, zero if there is none at
// all. Those of another experiment or other data are passed over, because the training could not go on
// from them. Those that a stop left in between are passed over, so that a run that was stopped goes back as far
// as one that was not, and so are those of steps that were skipped; unless there are no others.
func (r *Run) regular() (p Progress) {
	for _, path := range r.Checkpoints() {
		f, at, err := openCheckpoint(path)
		if err != nil {
			continue // training takes an older one, too
		}
		belongs := r.belongs(f)
		f.Close()
		if !belongs {
			continue
		}
		if at.SkippedInARow == 0 && at.Step%r.Config.Train.CheckpointEvery == 0 {
			return at
		}
		if p.Step == 0 || p.SkippedInARow > 0 && at.SkippedInARow == 0 {
			p = at
		}
	}
	return p
}

// best is the progress of the checkpoint with the lowest validation loss, if it is of a step before.
func (r *Run) best(before int) (Progress, bool) {
	f, p, err := openCheckpoint(filepath.Join(r.Dir, runs.CheckpointsDir, BestCheckpoint))
	if err != nil {
		return p, false
	}
	defer f.Close()
	return p, p.Step < before && r.belongs(f)
}

// backTo makes a checkpoint the newest one: later ones are removed when it is there. The one with the
// lowest validation loss is copied, because its name stays with the best.
func (r *Run) backTo(p Progress) error {
	if err := r.guard(); err != nil {
		return err
	}
	numbered := filepath.Join(r.Dir, runs.CheckpointsDir, runs.CheckpointName(p.Step))
	if _, err := os.Stat(numbered); p.Step > 0 && errors.Is(err, os.ErrNotExist) {
		if err := copyFile(numbered, filepath.Join(r.Dir, runs.CheckpointsDir, BestCheckpoint)); err != nil {
			return err
		}
	}
	for _, path := range r.Checkpoints() {
		if step, _ := runs.CheckpointStep(filepath.Base(path)); step > p.Step {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(to, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return atomicfile.Write(to, func(tmp *os.File) error {
		_, err := io.Copy(tmp, f)
		return err
	})
}
