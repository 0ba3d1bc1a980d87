// Package train is the training loop: steps, checkpoints, validation, the log, and the run folder
// that holds them.
//
// Every random number is a function of (seed, step), and a checkpoint holds everything else on
// which a step depends. So a run that is killed at any moment and started again ends with the same
// bytes as one that was never stopped.
package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/devices"
	"mcvd/models/weights"
	"mcvd/train/runs"
	"mcvd/train/tensorboard"
)

const (
	// maxSkipped is the number of steps in a row that may change nothing before training gives up.
	maxSkipped = 10
	// logEvery is the number of steps between lines of the log. There is also a line before each
	// checkpoint.
	logEvery = 10
	// ahead is the number of batches that are prepared while a step runs.
	ahead = 2
)

// Options say what to train, from what, and where.
type Options struct {
	Config  *configs.Config
	Dir     string // the run folder, new or to be continued
	Backend compute.Backend
	// Train and Valid are the data; Valid is not used if Config.Train.ValidateEvery is 0.
	Train, Valid clips.Dataset
	// AcceptChanges goes on with settings and data that are others than those of the checkpoint.
	AcceptChanges bool
	// Command and Versions are written into the run folder.
	Command  []string
	Versions map[string]string
	// Sample, if not nil, is called every Config.Train.SampleEvery steps to write samples of the
	// averaged weights: a sheet to path, and a film beside it, whose name ends in [runs.Film].
	Sample func(ctx context.Context, store *model.Store, path string) error
	// Score, if not nil, is called every Config.Train.Scores.Every steps, and returns the scores of
	// videos generated with the averaged weights, by metric; NaN where there is none. An error is
	// logged, and training goes on without these scores.
	Score func(ctx context.Context, store *model.Store) (map[string]float64, error)
	// Peak, if not nil, is called before the first step. It returns the FLOP/s that all devices in
	// use reach together, by which the log divides; 0 if that is unknown.
	Peak func(ctx context.Context) float64
	// Watchdog, if not nil, ends a training that makes no progress.
	Watchdog *Watchdog
	// Report, if not nil, is called after every step with its line, and for every validation.
	Report func(runs.Line)
	Log    *slog.Logger
}

// ErrStopped is in the error if ctx ended a run before its last step. The run's checkpoint is
// written.
var ErrStopped = errors.New("stopped")

// Train trains the run to its last step, from the newest checkpoint if there is one, and returns
// how far it came. When ctx ends, it finishes the step, writes a checkpoint and returns an error
// that wraps [ErrStopped].
func Train(ctx context.Context, o Options) (Progress, error) {
	config := *o.Config
	if err := experiment.Resolve(&config); err != nil { // the run folder's is complete, too
		return Progress{}, err
	}
	o.Config = &config
	m, err := models.New(o.Config)
	if err != nil {
		return Progress{}, err
	}
	steps, err := objectiveOf(m, o.Config)
	if err != nil {
		return Progress{}, err
	}
	if err := checkClasses(m, o.Config, o.Train); err != nil {
		return Progress{}, err
	}
	return train(ctx, o, m, steps)
}

// train is Train for a model, with what its steps minimize.
func train(ctx context.Context, o Options, m *models.Model, steps objective) (Progress, error) {
	if err := CheckBackend(o.Backend, o.Config); err != nil { // before anything is written
		return Progress{}, err
	}
	run, unlock, err := start(o.Dir, o.Config, o.AcceptChanges)
	if err != nil {
		return Progress{}, err
	}
	defer unlock()
	for back := (rollback{}); ; {
		progress, err := o.Watchdog.watch(ctx, run.writeStacks, func(ctx context.Context) (Progress, error) {
			return attempt(ctx, o, run, m, steps, back)
		})
		if err == nil || errors.Is(err, ErrHangs) {
			return progress, err
		}
		if back, err = run.next(o, err); err != nil {
			return progress, err
		}
	}
}

// attempt trains from the newest checkpoint to the last step.
func attempt(ctx context.Context, o Options, run *Run, m *models.Model, steps objective, back rollback) (Progress, error) {
	run.data = splitsOf(o)
	state, err := run.restore(o.Backend, m, o.AcceptChanges, o.Log)
	store, progress := state.store, state.progress
	if err != nil {
		return progress, err
	}
	defer store.Finalize()
	progress = back.begin(progress)
	t := &trainer{Options: o, run: run, model: m, objective: steps, store: store, progress: progress, saved: progress.Step}
	t.state.Lock()
	defer t.state.Unlock()
	if progress.Step >= o.Config.Train.Steps && !t.owes() {
		return progress, nil // and the folder stays as it is
	}
	if progress.Step > 0 {
		o.Log.Info("resuming", "step", progress.Step, "of", o.Config.Train.Steps)
		run.warnOfRoundings(o.Log, o.Versions)
	}
	if err := run.describe(o.Command, o.Versions); err != nil {
		return progress, err
	}
	if err := t.open(); err != nil {
		return progress, err
	}
	defer t.close()
	o.Watchdog.guard(t.rescue)
	defer o.Watchdog.guard(nil)
	if len(state.changes) > 0 {
		if err := t.record(state.changes); err != nil {
			return progress, err
		}
	}
	err = t.loop(ctx)
	if save := t.saving.wait(); save != nil {
		err = errors.Join(err, save)
	}
	return t.progress, err
}

// record logs what has changed in the experiment, and writes the checkpoint again, so that it is part of
// it from here on.
func (t *trainer) record(changes []string) error {
	p := &t.progress
	if err := t.write(runs.Line{Step: p.Step, Loss: runs.Number(math.NaN()), Changes: changes}); err != nil {
		return err
	}
	if slices.ContainsFunc(changes, func(c string) bool { return strings.HasPrefix(c, "data") }) {
		p.BestLoss, p.BestStep = 0, 0 // losses on other data can't be compared
	}
	t.saved = 0
	if err := t.checkpointNow(); err != nil {
		return err
	}
	newest := t.Config.Train
	newest.Keep = 1 // older ones are of another experiment, so nothing could go on from them
	return t.run.tidy(newest)
}

// trainer is a run in training.
type trainer struct {
	Options
	run       *Run
	model     *models.Model
	objective objective // what its steps minimize
	store     *model.Store
	progress  Progress
	saved     int        // the step of the last checkpoint that was begun
	saving    background // writes checkpoints
	copied    copied     // what it writes
	// state is held but for [trainer.outside]: who holds it may save the weights and progress.
	state     sync.Mutex
	stepper   *stepper
	byLoss    *byLoss // nil if levels are drawn without regard to losses
	validator *validator
	log       *logWriter
	events    *tensorboard.Writer // nil without
	flops     float64             // of a step
	peak      float64             // what Peak gave
	since     time.Time           // when the steps began whose time is not logged yet, plus the time of what was done between them
	timed     int                 // the number of these steps
	stalled   time.Duration       // how long steps have waited for checkpoints since the last line
	compiled  bool                // the first step of this process, which mostly compiles, is over
	feed      *feed
}

func (t *trainer) open() (err error) {
	c := t.Config
	size, err := t.model.Declare(t.Backend, t.store.Scope("/"+models.WeightsScope), c.Train.Batch)
	if err != nil {
		return err
	}
	t.flops = size.TrainingFLOPs(c.Train.Accumulate, c.Train.Teacher != "")
	if drawsByLoss(c) {
		t.byLoss = &byLoss{running: t.model.Running()}
		if err := t.byLoss.running.Restore(t.progress.LevelLosses); err != nil {
			return fmt.Errorf("%s: checkpoint of step %d: %w", t.Dir, t.progress.Step, err)
		}
	}
	if t.stepper, err = newStepper(t.Backend, t.store, t.objective, c); err != nil {
		return err
	}
	if c.Train.ValidateEvery > 0 {
		if t.validator, err = newValidator(t.Backend, t.store, t.objective, c, t.Valid); err != nil {
			return err
		}
	}
	if err := t.run.guard(); err != nil { // compiling takes its time
		return err
	}
	if err := t.run.removeSamplesBehind(t.progress.Step); err != nil {
		return err
	}
	if t.log, err = openLog(filepath.Join(t.run.Dir, runs.LogFile), t.progress.Step, t.Log); err != nil {
		return err
	}
	if !c.Train.TensorBoard {
		return tensorboard.Remove(t.run.Dir)
	}
	t.events, err = tensorboard.Open(context.Background(), t.run.Dir)
	return err
}

func (t *trainer) close() {
	if t.stepper != nil {
		t.stepper.close()
	}
	if t.validator != nil {
		t.validator.close()
	}
	if t.log != nil {
		t.log.file.Close()
	}
	if t.events != nil {
		t.events.Close()
	}
}

func (t *trainer) loop(ctx context.Context) error {
	c := t.Config.Train
	batches := data.NewBatches(t.Train, t.Config, t.Log)
	if t.Peak != nil {
		t.outside("measuring the device's peak", func() { t.peak = t.Peak(ctx) })
	}
	if err := t.catchUp(ctx); err != nil || t.progress.Step >= c.Steps {
		return err
	}
	t.feed = &feed{devices: t.stepper.devices, batches: batches.Each(ctx, t.progress.Draw()*c.Accumulate, ahead)}
	next, stop := iter.Pull2(t.feed.each(ctx))
	defer t.outside("ending the reading of data", stop)
	var step []uploaded
	t.since = time.Now()
	for {
		var batch uploaded
		var err error
		var more bool
		t.outside(fmt.Sprintf("waiting for the data of step %d", t.progress.Step+1), func() { batch, err, more = next() })
		if !more || err != nil && ctx.Err() != nil {
			break
		}
		if err != nil {
			return t.keep(fmt.Errorf("step %d: %w", t.progress.Step+1, err))
		}
		step = append(step, batch)
		if len(step) < c.Accumulate {
			continue
		}
		if err := t.step(ctx, step); err != nil {
			return err
		}
		step = nil
		if ctx.Err() != nil || t.progress.Step >= c.Steps {
			break
		}
	}
	if t.progress.Step < c.Steps || ctx.Err() != nil && t.owes() {
		return cmp.Or(t.checkpointNow(), t.stopped()) // what can't be saved does not go on
	}
	return t.checkpointNow()
}

// keep writes a checkpoint because training ends with err, which has nothing to do with the weights:
// data can't be read.
func (t *trainer) keep(err error) error {
	if t.progress.SkippedInARow > 0 {
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
	return fmt.Errorf("%w at step %d of %d; the same command goes on from there", ErrStopped, t.progress.Step, t.Config.Train.Steps)
}

// step updates the weights once, then does what is due.
func (t *trainer) step(ctx context.Context, uploads []uploaded) error {
	var batches []devices.Value
	var times []*tensors.Tensor
	var labels [][][]string
	replaced := 0
	for _, u := range uploads {
		batches, times, labels, replaced = append(batches, u.Value), append(times, u.times), append(labels, u.labels), replaced+u.replaced
	}
	p := &t.progress
	draws := drawsOf(t.objective, t.Config, p.Draw())
	if t.byLoss != nil {
		draws = t.byLoss.draws(t.model, t.Config, p.Draw())
	}
	t.copied = copied{} // the copy may go once it is written
	var gradients summed
	var err error
	t.outside(fmt.Sprintf("computing the gradients of step %d", p.Step+1), func() {
		gradients, err = t.stepper.sum(batches, labelledDraws(t.objective, draws, labels), times...)
	})
	devices.Free(batches)
	if err != nil {
		return fmt.Errorf("step %d: %w", p.Step+1, err)
	}
	t.Watchdog.begin(fmt.Sprintf("updating the weights in step %d", p.Step+1))
	r, err := t.stepper.change(p.Updates+1, gradients)
	if err != nil {
		return fmt.Errorf("step %d: %w", p.Step+1, err)
	}
	p.Step++
	if r.Skipped {
		p.SkippedInARow++
		t.Log.Warn("step skipped: not finite", "step", p.Step, "loss", r.Loss, "gradient_norm", r.GradientNorm)
	} else {
		p.SkippedInARow = 0
		p.Updates++
		if p.Step > p.DivergedAt { // what diverged before is overcome
			p.Rollbacks, p.DivergedAt = 0, 0
		}
		if t.byLoss != nil {
			t.byLoss.learn(r.Losses)
			p.LevelLosses = t.byLoss.running.Text()
		}
	}
	p.Unlogged.add(r)
	p.Unlogged.Replaced += replaced
	p.Replaced += replaced
	if t.compiled {
		t.timed++
	} else {
		t.compiled, t.since, t.feed.waited = true, time.Now(), 0
	}
	if err := t.report(); err != nil {
		return err
	}
	return t.due(ctx)
}

// due validates, saves and samples if that is due after a step. Speeds in the log don't include
// this time.
func (t *trainer) due(ctx context.Context) error {
	p, c, began := &t.progress, t.Config.Train, time.Now()
	defer func() { t.since = t.since.Add(time.Since(began)) }()
	if err := t.saving.failed(); err != nil {
		return err
	}
	if p.SkippedInARow >= maxSkipped {
		return diverged{*p, fmt.Errorf("step %d: loss or gradients were not finite in %d steps in a row", p.Step, maxSkipped)}
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
		if err := t.checkpoint(); err != nil {
			return err
		}
	}
	return t.sample(ctx)
}

// sample writes the samples that are due after a step, unless they are there.
func (t *trainer) sample(ctx context.Context) error {
	if !t.samplesDue() {
		return nil
	}
	if err := t.run.guard(); err != nil {
		return err
	}
	var err error
	t.outside(fmt.Sprintf("making the samples of step %d", t.progress.Step), func() {
		err = t.Sample(ctx, t.store, t.run.SamplePath(t.progress.Step))
	})
	if err != nil && ctx.Err() == nil {
		return t.keep(fmt.Errorf("samples of step %d: %w", t.progress.Step, err))
	}
	t.show()
	return nil
}

// report shows the step, and logs the means of the last steps when a line is due. Lines are due at
// fixed steps, so a run that was resumed logs the same lines as one that was never stopped.
func (t *trainer) report() error {
	p, c := &t.progress, t.Config.Train
	line := p.Unlogged.line(p.Step)
	line.Saving = runs.Number(t.stalled.Seconds())
	if t.timed > 0 {
		seconds := max(time.Since(t.since).Seconds(), 1e-9)
		line.ClipsPerSecond = runs.Number(float64(t.timed*c.Batch*c.Accumulate) / seconds)
		line.FLOPs = runs.Number(float64(t.timed) * t.flops / seconds)
		if t.peak > 0 {
			line.PeakShare = line.FLOPs / runs.Number(t.peak)
		}
		line.Waiting = runs.Number(t.feed.waited.Seconds() / seconds)
	}
	if t.Report != nil {
		t.Report(line)
	}
	if p.Step%logEvery != 0 && p.Step%c.CheckpointEvery != 0 && p.Step != c.Steps {
		return nil
	}
	p.Unlogged, t.since, t.timed, t.feed.waited, t.stalled = means{}, time.Now(), 0, 0, 0
	return t.write(line)
}

// write writes a line of the log.
func (t *trainer) write(line runs.Line) error {
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
		now := *p
		return t.save(func(entries []weights.Entry) error { return t.run.save(BestCheckpoint, entries, now) })
	}
	return nil
}
