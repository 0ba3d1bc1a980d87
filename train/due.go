package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mcvd/models/weights"
	"mcvd/train/ranks"
	"mcvd/train/runs"
)

// due validates, saves and samples if that is due after a step. Speeds in the log don't include
// this time.
func (t *trainer) due(ctx context.Context) error {
	p, c, began := &t.progress, t.Config.Train, time.Now()
	defer func() { t.since = t.since.Add(time.Since(began)) }()
	if err := t.saving.failed(); err != nil {
		return err
	}
	if p.SkippedInARow >= maxSkipped {
		return ranks.Agreed(t.Ranks, diverged{*p, fmt.Errorf("step %d: loss or gradients were not finite in %d steps in a row", p.Step, maxSkipped)})
	}
	if c.ValidateEvery > 0 && p.Step%c.ValidateEvery == 0 {
		if err := t.validate(ctx); err != nil {
			return err
		}
	}
	if t.scoresDue(*p) {
		if err := t.score(ctx); err != nil {
			return err
		}
	}
	// Weights without a finite loss are hardly worth keeping, so this waits for the next checkpoint
	// that is due.
	if p.Step%c.CheckpointEvery == 0 && p.SkippedInARow == 0 {
		if err := t.checkAlike(); err != nil {
			return err
		}
		if _, err := ranks.All(t.Ranks, true, t.checkpoint()); err != nil {
			return err
		}
	}
	return t.sample(ctx)
}

// sample writes the samples that are due after a step, unless they are there.
func (t *trainer) sample(ctx context.Context) error {
	due, err := t.samplesDue()
	if err != nil || !due {
		return err
	}
	if err := t.run.guard(); err != nil {
		return err
	}
	t.outside(fmt.Sprintf("making the samples of step %d", t.progress.Step), func() {
		err = t.Sample(ctx, t.store, t.run.SamplePath(t.progress.Step))
	})
	ended, lost := t.ending(ctx.Err() != nil)
	if lost != nil {
		return t.keep(errors.Join(err, lost))
	}
	if err != nil && !ended {
		return t.keep(fmt.Errorf("samples of step %d: %w", t.progress.Step, err))
	}
	t.show()
	return nil
}

// report shows the last step, and logs the means of the last steps when a line is due. Lines are due at
// fixed steps, so a run that was resumed logs the same lines as one that was never stopped.
func (t *trainer) report() error {
	p, c := &t.progress, t.Config.Train
	line := t.tell(p.Unlogged)
	if p.Step%logEvery != 0 && p.Step%c.CheckpointEvery != 0 && p.Step != c.Steps {
		return nil
	}
	all, err := ranks.All(t.Ranks, line.Lagging, nil)
	if err != nil {
		return err
	}
	line.Lagging = 0
	for _, of := range all { // the slowest one waits for none
		line.Lagging += of / runs.Number(len(all))
	}
	p.Unlogged, t.stalled = means{}, 0
	t.beginTiming()
	return t.write(line)
}

// tell shows the last step, with means that the log has not had yet.
func (t *trainer) tell(unlogged means) runs.Line {
	p, c := &t.progress, t.Config.Train
	line := unlogged.line(p.Step)
	line.Saving = runs.Number(t.stalled.Seconds())
	if t.timed > 0 {
		seconds := max(time.Since(t.since).Seconds(), 1e-9)
		line.ClipsPerSecond = runs.Number(float64(t.timed*c.Batch*c.Accumulate) / seconds)
		line.FLOPs = runs.Number(float64(t.timed) * t.flops / seconds)
		if t.peak > 0 {
			line.PeakShare = line.FLOPs / runs.Number(t.peak)
		}
		line.Waiting = runs.Number(t.feed.waited.Seconds() / seconds)
		line.Exchanging = runs.Number(t.exchange.took.Seconds() / seconds)
		line.Lagging = runs.Number(t.exchange.waited.Seconds() / seconds)
	}
	if t.Report != nil {
		t.Report(line)
	}
	return line
}

// beginTiming begins the time of steps that the next line of the log tells of.
func (t *trainer) beginTiming() {
	t.since, t.timed = time.Now(), 0
	t.feed.waited, t.exchange.took, t.exchange.waited = 0, 0, 0
}

// write writes a line of the log, on the first rank.
func (t *trainer) write(line runs.Line) error {
	if !t.Ranks.First() {
		return nil
	}
	if err := t.log.write(line); err != nil {
		return err
	}
	t.show()
	return nil
}

// show adds to the event files what is new in the run folder. A failure is no reason to stop: all
// that they tell is in the folder, and the next process adds it.
func (t *trainer) show() {
	if t.events == nil {
		return
	}
	if err := t.events.Update(context.Background()); err != nil {
		t.Log.Warn("TensorBoard's event files are not written any more", "reason", err)
		t.events.Close()
		t.events = nil
	}
}

// validate logs the validation loss and keeps the weights if they are the best so far. It does so even
// if ctx has ended, because it is short. If clips can't be read, the checkpoint says that the validation
// is still to be made, and the next process makes it.
func (t *trainer) validate(ctx context.Context) error {
	p := &t.progress
	var v validation
	var err error
	p.Unvalidated = true // as a checkpoint has to say that is written meanwhile
	t.outside(fmt.Sprintf("validating after step %d", p.Step), func() {
		v, err = t.validator.run(context.WithoutCancel(ctx), t.Watchdog.Alive)
	})
	if err != nil {
		return t.keep(fmt.Errorf("step %d: %w", p.Step, err))
	}
	p.Unvalidated = false
	line := runs.Line{Step: p.Step, Loss: runs.Number(v.loss), Validation: v.bins, X0: runs.Number(v.x0), Accuracy: v.accuracy}
	if t.Report != nil {
		t.Report(line)
	}
	if err := t.write(line); err != nil {
		return err
	}
	if finite(v.loss) && p.SkippedInARow == 0 && (p.BestStep == 0 || v.loss < p.BestLoss) {
		p.BestLoss, p.BestStep = v.loss, p.Step
		return t.saveBest()
	}
	return nil
}

// saveBest writes the checkpoint with the lowest validation loss, on the first rank.
func (t *trainer) saveBest() (err error) {
	if now := t.progress; t.Ranks.First() {
		err = t.save(func(entries []weights.Entry) error { return t.run.save(BestCheckpoint, entries, now) })
	}
	_, err = ranks.All(t.Ranks, true, err)
	return err
}
