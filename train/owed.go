package train

import (
	"cmp"
	"context"
	"os"
	"strings"

	"mcvd/train/ranks"
	"mcvd/train/runs"
)

// What is due after a step may be missing when a process ends: a signal cuts off scores and samples, a
// clip can't be read, or the process is killed between the checkpoint and the samples. The next process
// makes up for it before its first step, with the weights of the checkpoint.

// owes says whether something that is due after the last step is missing.
func (t *trainer) owes() (bool, error) {
	samples, err := t.samplesDue()
	return t.validationOwed() || t.scoresDue(t.progress) || samples, err
}

func (t *trainer) validationOwed() bool {
	return t.progress.Unvalidated && t.Config.Train.ValidateEvery > 0
}

// samplesDue says whether samples of the last step are to be written, and are not there, or not all of
// them: a process may be killed between the sheet and the film.
func (t *trainer) samplesDue() (bool, error) {
	every, step := t.Config.Train.SampleEvery, t.progress.Step
	if t.Sample == nil || every <= 0 || step == 0 || step%every != 0 {
		return false, nil
	}
	return ranks.FromFirst(t.Ranks, func() (bool, error) { // the others may not see the folder
		sheet := t.run.SamplePath(step)
		for _, path := range []string{sheet, strings.TrimSuffix(sheet, runs.Sheet) + runs.Film} {
			if _, err := os.Lstat(path); err != nil {
				return true, nil
			}
		}
		return false, nil
	})
}

// catchUp makes up for what the process before owes.
func (t *trainer) catchUp(ctx context.Context) error {
	validation, scores := t.validationOwed(), t.scoresDue(t.progress)
	if validation {
		if err := t.validate(ctx); err != nil {
			return err
		}
	}
	if scores {
		if err := t.score(ctx); err != nil {
			return err
		}
		if t.scoresDue(t.progress) {
			return t.stopped()
		}
	}
	if validation || scores {
		t.saved = 0 // the checkpoint gets the bytes that it would have without the stop
		if err := t.checkpointTogether(); err != nil {
			return err
		}
	}
	if err := t.sample(ctx); err != nil {
		return err
	}
	owes, err := t.owes()
	if err != nil {
		return err
	}
	if ended, err := t.ending(ctx.Err() != nil); err != nil || ended && owes {
		return cmp.Or(err, t.stopped())
	}
	return nil
}
