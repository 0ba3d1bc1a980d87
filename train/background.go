package train

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models"
	"mcvd/models/weights"
	"mcvd/train/ranks"
)

// A checkpoint takes two parts. Its tensors are copied while the training stands still, because the next
// step changes them. The copy is written to disk while the steps go on.

// background does one job after the other, beside the caller. The zero value is ready.
type background struct {
	last chan error // gets the result of the last job, or of one before it that failed; nil if there is none
}

// do adds a job. It is left out if one before it fails.
func (b *background) do(job func() error) {
	before, last := b.last, make(chan error, 1)
	b.last = last
	go func() {
		var err error
		if before != nil {
			err = <-before
		}
		if err == nil {
			err = job()
		}
		last <- err
	}()
}

// busy says that not all jobs are known to be done.
func (b *background) busy() bool { return b.last != nil }

// wait waits for all jobs. It returns the error of the first one that failed.
func (b *background) wait() (err error) {
	if b.last != nil {
		err, b.last = <-b.last, nil
	}
	return err
}

// failed is wait if there is nothing left to wait for, else nil.
func (b *background) failed() (err error) {
	select {
	case err = <-b.last:
		b.last = nil
	default:
	}
	return err
}

// copied is what a checkpoint holds of the weights after a step.
type copied struct {
	step    int
	entries []weights.Entry
}

// copyOf copies all tensors of a store. One that is not finite is a [weights.NotFiniteError]. alive is
// called for each that is written.
func copyOf(store *model.Store, step int, alive func()) (copied, error) {
	c := copied{step: step}
	for _, e := range models.Entries(store) {
		data, err := finiteData(e)
		if err != nil {
			return c, fmt.Errorf("checkpoint of step %d: tensor %q: %w", step, e.Name, err)
		}
		c.entries = append(c.entries, weights.Entry{Tensor: e.Tensor, Data: func() ([]byte, error) {
			alive()
			return data, nil
		}})
	}
	return c, nil
}

// save writes a checkpoint in the background, after those that are being written. write gets what it
// shall hold. There is one copy of the weights at a time: the checkpoint of a step shares it with the one
// that is kept because it is the best, and one of a later step waits until the earlier ones are written.
func (t *trainer) save(write func(entries []weights.Entry) error) error {
	began := time.Now()
	defer func() { t.stalled += time.Since(began) }()
	if t.copied.step != t.progress.Step || t.copied.entries == nil {
		t.copied = copied{}
		t.Watchdog.begin(fmt.Sprintf("saving step %d", t.progress.Step))
		if err := t.saving.wait(); err != nil {
			return err
		}
		c, err := copyOf(t.store, t.progress.Step, t.Watchdog.Alive)
		if errors.As(err, new(weights.NotFiniteError)) {
			err = diverged{t.progress, err}
		}
		if err != nil {
			return err
		}
		t.copied = c
	}
	entries := t.copied.entries
	t.saving.do(func() error { return write(entries) })
	return nil
}

// checkpoint begins to write the state, on the first rank, unless it is written already.
func (t *trainer) checkpoint() error {
	if !t.Ranks.First() {
		return nil
	}
	if t.saved == t.progress.Step && (t.saving.busy() || len(t.run.Checkpoints()) > 0) {
		return nil
	}
	now := t.progress
	if err := t.save(func(entries []weights.Entry) error { return t.run.saveStep(entries, now) }); err != nil {
		return err
	}
	t.saved = now.Step
	return nil
}

// checkpointTogether is checkpointNow in all ranks, which all know of an error then.
func (t *trainer) checkpointTogether() error {
	_, err := ranks.All(t.Ranks, true, t.checkpointNow())
	return err
}

// checkpointNow is checkpoint, and waits until the state is written.
func (t *trainer) checkpointNow() error {
	t.Watchdog.begin(fmt.Sprintf("saving step %d", t.progress.Step))
	return cmp.Or(t.checkpoint(), t.saving.wait())
}
