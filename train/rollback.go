package train

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mcvd/configs/atomicfile"
	"mcvd/models/weights"
	"mcvd/train/runs"
)

// maxRollbacks is how often in a row training goes back to the same checkpoint. If it still diverges
// then, the batches are not the reason.
const maxRollbacks = 3

// diverged is the error of a training whose loss or weights are not finite. draw is the first one that
// was not taken: see [Progress.Draw].
type diverged struct {
	draw int
	err  error
}

func (d diverged) Error() string { return d.err.Error() }
func (d diverged) Unwrap() error { return d.err }

// writable turns the error of a checkpoint with values that are not finite into one of a divergence.
func (t *trainer) writable(err error) error {
	if errors.As(err, new(weights.NotFiniteError)) {
		return diverged{t.progress.Draw(), err}
	}
	return err
}

// rollbacks are what a process has gone back so far.
type rollbacks struct {
	to     Progress // of the checkpoint
	times  int      // in a row
	best   bool     // it is the one with the lowest validation loss
	passed int      // the number of steps whose batches are passed over from there on
}

// after says whether training is to go on from its newest checkpoint after an attempt that ended with
// err. The error is what the training ends with if not.
func (b *rollbacks) after(o Options, run *Run, err error) (again bool, _ error) {
	var d diverged
	if !errors.As(err, &d) {
		return false, err
	}
	to, search := run.regular()
	if search != nil {
		return false, fmt.Errorf("%w; and it can't go back: %w", err, search)
	}
	if o.Config.Train.OnDivergence != "rollback" {
		return false, fmt.Errorf("%w; checkpoints are untouched, %s: try a lower optimizer.learning_rate, or train.on_divergence: rollback, which goes back and on with other batches", err, to.said())
	}
	if b.best && to.Step <= b.to.Step {
		to = b.to // no new one since it went back to the best
	}
	if to.Step != b.to.Step {
		*b = rollbacks{to: to}
	}
	if b.times++; b.times > maxRollbacks {
		best, found := run.best(to)
		if b.best || !found {
			return false, fmt.Errorf("%w, and so it was after each of %d rollbacks; %s: try a lower optimizer.learning_rate", err, maxRollbacks, to.said())
		}
		*b, to = rollbacks{to: best, times: 1, best: true}, best
	}
	if err := run.backTo(to); err != nil {
		return false, err
	}
	b.passed = d.draw - to.Draw()
	o.Log.Warn("training diverged; it goes back to a checkpoint, and passes over the batches since then",
		"reason", err, "step", to.Step, "batches_of_steps", b.passed)
	return true, nil
}

// said says of what step a checkpoint is.
func (p Progress) said() string {
	if p.Step == 0 {
		return "there is none yet"
	}
	return fmt.Sprintf("the newest good one is of step %d", p.Step)
}

// regular is the progress of the newest checkpoint of a step at which one is due, zero if there is none.
// Those that a stop left in between are passed over, so that a run that was stopped goes back as far as
// one that was not, and so are those of steps that were skipped.
func (r *Run) regular() (Progress, error) {
	for _, path := range r.Checkpoints() {
		if step, _ := runs.CheckpointStep(filepath.Base(path)); step%r.Config.Train.CheckpointEvery != 0 {
			continue
		}
		f, p, err := openCheckpoint(path)
		if err != nil {
			continue // training takes an older one, too
		}
		if err := f.Close(); err != nil || p.SkippedInARow == 0 {
			return p, err
		}
	}
	return Progress{}, nil
}

// best is the progress of the checkpoint with the lowest validation loss, if it is older than another
// one.
func (r *Run) best(than Progress) (Progress, bool) {
	f, p, err := openCheckpoint(filepath.Join(r.Dir, runs.CheckpointsDir, BestCheckpoint))
	if err != nil {
		return p, false
	}
	return p, f.Close() == nil && p.Step < than.Step
}

// backTo makes a checkpoint the newest one: later ones are removed. If it is the one with the lowest
// validation loss, it is copied, because the name of that one stays with the best.
func (r *Run) backTo(p Progress) error {
	if err := r.guard(); err != nil {
		return err
	}
	for _, path := range r.Checkpoints() {
		if step, _ := runs.CheckpointStep(filepath.Base(path)); step > p.Step {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	numbered := filepath.Join(r.Dir, runs.CheckpointsDir, runs.CheckpointName(p.Step))
	if _, err := os.Stat(numbered); err == nil || p.Step == 0 {
		return nil
	}
	best, err := os.Open(filepath.Join(r.Dir, runs.CheckpointsDir, BestCheckpoint))
	if err != nil {
		return err
	}
	defer best.Close()
	return atomicfile.Write(numbered, func(tmp *os.File) error {
		_, err := io.Copy(tmp, best)
		return err
	})
}
