package train

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/data"
	"mcvd/models/devices"
	"mcvd/train/ranks"
)

// loop makes the steps that are left.
func (t *trainer) loop(ctx context.Context) error {
	c := t.Config.Train
	of := partOf(t.Ranks, t.Config)
	batches := data.NewBatches(t.Train, t.Config, t.Log).Part(of.from, of.from+of.size)
	if err := t.catchUp(ctx); err != nil || t.progress.Step >= c.Steps {
		return err
	}
	reading, end := t.exchange.reading(ctx)
	defer end()
	t.feed = &feed{devices: t.stepper.devices, batches: batches.Each(reading, t.progress.Draw()*c.Accumulate, ahead)}
	next, stop := iter.Pull2(t.feed.each(reading))
	defer t.outside("ending the reading of data", stop)
	t.since = time.Now()
	for {
		step, err := t.batches(reading, next)
		if done, err := t.step(ctx, step, err); err != nil {
			return err
		} else if done {
			break
		}
		if err := t.measurePeak(ctx); err != nil {
			return t.keep(err)
		}
	}
	ended, err := t.ending(ctx.Err() != nil)
	if err != nil {
		return err
	}
	owes, err := t.owes()
	if err == nil && (t.progress.Step < c.Steps || ended && owes) {
		return cmp.Or(t.checkpointTogether(), t.stopped()) // what can't be saved does not go on
	}
	return cmp.Or(err, t.checkpointTogether())
}

// measurePeak measures what the devices of all ranks reach together, after the first step of this process.
// Ranks of a host share its cores, so all measure at the same time.
func (t *trainer) measurePeak(ctx context.Context) (err error) {
	if t.Peak == nil {
		return nil
	}
	var all []float64
	t.outside("measuring the device's peak", func() { all, err = ranks.All(t.Ranks, t.Peak(ctx), nil) })
	if !slices.Contains(all, 0) { // unknown
		for _, peak := range all {
			t.peak += peak
		}
	}
	t.Peak = nil
	t.beginTiming()
	return err
}

// batches are those of the next step; nil if ctx has ended.
func (t *trainer) batches(ctx context.Context, next func() (uploaded, error, bool)) (step []uploaded, err error) {
	for len(step) < t.Config.Train.Accumulate {
		var batch uploaded
		var more bool
		t.outside(fmt.Sprintf("waiting for the data of step %d", t.progress.Step+1), func() { batch, err, more = next() })
		if err == nil && more {
			step = append(step, batch)
			continue
		}
		free(step)
		if ctx.Err() != nil {
			err = nil
		}
		return nil, err
	}
	return step, nil
}

// free gives back the memory of batches.
func free(step []uploaded) {
	for _, u := range step {
		devices.Free([]devices.Value{u.Value})
	}
}

// keep writes a checkpoint because training ends with err, which has nothing to do with the weights:
// data can't be read.
func (t *trainer) keep(err error) error {
	if t.progress.SkippedInARow > 0 || !t.Ranks.First() || t.round.begun() {
		return err
	}
	before := t.saved
	if save := t.checkpointNow(); save != nil {
		return fmt.Errorf("%w\nand no checkpoint of step %d could be written: %w", err, t.progress.Step, save)
	}
	if t.saved != before {
		t.Log.Info("a checkpoint was written before the end", "step", t.saved)
	}
	return err
}

func (t *trainer) stopped() error {
	return ranks.Agreed(t.Ranks, fmt.Errorf("%w at step %d of %d; the same command goes on from there", ErrStopped, t.progress.Step, t.Config.Train.Steps))
}

// found is what a rank found in its part of a step.
type found struct {
	Loss, Norm float64
	Replaced   int
	Losses     [][]float32 // of the clips of each batch, if levels are drawn by them
	Without    bool        // it has no batches, because the training ends
	Ends       bool        // it is told to end
}

// step updates the weights once, then does what is due. uploads are its batches, nil if the training ends, and
// err is why they could not be read. It says whether this was the last step.
func (t *trainer) step(ctx context.Context, uploads []uploaded, err error) (done bool, _ error) {
	p := &t.progress
	t.copied = copied{} // the copy may go once it is written
	own := found{Without: uploads == nil, Ends: ctx.Err() != nil}
	var gradients summed
	if err == nil && uploads != nil {
		gradients, err = t.gradients(uploads)
		own.Loss, own.Norm, own.Losses = gradients.loss, gradients.norm, gradients.losses
		for _, u := range uploads {
			own.Replaced += u.replaced
		}
	}
	if err != nil {
		err = fmt.Errorf("step %d: %w", p.Step+1, err)
	}
	if t.exchange.outer != nil {
		return t.stepOfRound(ctx, gradients, own, err)
	}
	all, err := meet(t, own, err)
	if err != nil {
		return false, t.keep(err)
	}
	whole := foundByAll(all)
	if whole.Without {
		devices.Free(gradients.sums)
		return true, nil
	}
	gradients.loss, gradients.losses = whole.Loss, whole.Losses
	if !finite(whole.Loss) || !finite(whole.Norm) {
		gradients.norm = whole.Norm // then no rank changes anything
	} else {
		t.outside(fmt.Sprintf("adding up the gradients of the ranks in step %d", p.Step+1), func() { err = t.exchange.gradients(t.stepper.devices, &gradients) })
		if err != nil {
			return false, t.keep(fmt.Errorf("step %d: %w", p.Step+1, err))
		}
	}
	r, err := t.update(p.Updates+1, gradients)
	if err != nil {
		return false, err
	}
	r.Replaced = whole.Replaced
	t.note(p.Step, r)
	if err := t.report(); err != nil {
		return false, err
	}
	return whole.Ends || p.Step >= t.Config.Train.Steps, t.due(ctx)
}

// meet waits for the other ranks, and gives what each of them has. If one comes with an error, all get it.
func meet[T any](t *trainer, own T, err error) (all []T, _ error) {
	began := time.Now()
	t.outside(fmt.Sprintf("waiting for the other ranks, after step %d", t.progress.Step), func() { all, err = ranks.All(t.Ranks, own, err) })
	t.exchange.waitedSince(began)
	return all, err
}

// gradients computes those of this rank's part of a step.
func (t *trainer) gradients(uploads []uploaded) (g summed, err error) {
	var batches []devices.Value
	var times []*tensors.Tensor
	var labels [][][]string
	for _, u := range uploads {
		batches, times, labels = append(batches, u.Value), append(times, u.times), append(labels, u.labels)
	}
	p := t.progress
	draws := drawsOf(t.objective, t.Config, p.Draw())
	if t.byLoss != nil {
		draws = t.byLoss.draws(t.model, t.Config, p.Draw())
	}
	draws = labelledDraws(t.objective, t.stepper.part.of(draws), labels)
	t.outside(fmt.Sprintf("computing the gradients of step %d", p.Step+1), func() { g, err = t.stepper.sum(batches, draws, times...) })
	devices.Free(batches)
	return g, err
}

// update changes the weights, and makes this the next step. number is that of the update, counted from 1.
func (t *trainer) update(number int, gradients summed) (result, error) {
	p := &t.progress
	t.Watchdog.begin(fmt.Sprintf("updating the weights in step %d", p.Step+1))
	r, err := t.stepper.change(number, gradients)
	if err != nil {
		return r, fmt.Errorf("step %d: %w", p.Step+1, err)
	}
	p.Step++
	if r.Skipped && (t.Ranks.First() || t.exchange.outer != nil) { // else all ranks skip it
		t.Log.Warn("step skipped: not finite", "step", p.Step, "loss", r.Loss, "gradient_norm", r.GradientNorm)
	}
	if t.compiled {
		t.timed++
	} else {
		t.compiled = true
		t.beginTiming()
	}
	return r, nil
}

// note takes down what became of a step.
func (t *trainer) note(step int, r result) {
	p := &t.progress
	if r.Skipped {
		p.SkippedInARow++
	} else {
		p.SkippedInARow = 0
		p.Updates++
		if step > p.DivergedAt { // what diverged before is overcome
			p.Rollbacks, p.DivergedAt = 0, 0
		}
	}
	if t.byLoss != nil {
		t.byLoss.learn(r)
		p.LevelLosses = t.byLoss.running.Text()
	}
	p.Unlogged.add(r)
	p.Replaced += r.Replaced
}
