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
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/train/ranks"
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
	// averaged weights: a sheet to path, and a film beside it, whose name ends in [runs.Film]. All ranks
	// call it, and may share the work; the first one writes.
	Sample func(ctx context.Context, store *model.Store, path string) error
	// Score, if not nil, is called every Config.Train.Scores.Every steps, and returns the scores of
	// videos generated with the averaged weights, by metric; NaN where there is none. An error is
	// logged, and training goes on without these scores. All ranks call it, and may share the work.
	Score func(ctx context.Context, store *model.Store) (map[string]float64, error)
	// Peak, if not nil, is called once after the first step, which compiles, on all ranks at the same time. It
	// returns the FLOP/s that all devices in use reach together, by which the log divides; 0 if that is unknown.
	Peak func(ctx context.Context) float64
	// Ranks are the processes that train together; nil if this one trains alone. Each calls Train with the
	// same options. Only the first one writes.
	Ranks *ranks.Ranks
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
	if err := cmp.Or(CheckBackend(o.Backend, o.Config, o.Ranks), checkTogether(o)); err != nil { // before anything is written
		return Progress{}, err
	}
	run, unlock, err := enter(o)
	if err != nil {
		return Progress{}, err
	}
	defer unlock()
	o.Ranks.WhileWaiting(o.Watchdog.Alive) // who waits for a rank that hangs doesn't hang
	for back := (rollback{}); ; {
		progress, err := o.Watchdog.watch(ctx, run.recorder(o), func(ctx context.Context) (Progress, error) {
			return attempt(ctx, o, run, m, steps, back)
		})
		if err == nil || errors.Is(err, ErrHangs) || errors.Is(err, ErrStopped) || !shared(o.Ranks, err) {
			return progress, err
		}
		why := err
		if back, err = ranks.FromFirst(o.Ranks, func() (rollback, error) { return run.next(o, why) }); err != nil {
			return progress, err
		}
	}
}

// attempt trains from the newest checkpoint to the last step.
func attempt(ctx context.Context, o Options, run *Run, m *models.Model, steps objective, back rollback) (Progress, error) {
	run.data = splitsOf(o)
	state, err := run.resume(o, m)
	store, progress := state.store, state.progress
	if err != nil {
		return progress, err
	}
	defer store.Finalize()
	progress = back.begin(progress)
	t := &trainer{Options: o, run: run, model: m, objective: steps, store: store, progress: progress, saved: progress.Step}
	t.state.Lock()
	defer t.state.Unlock()
	if owes, err := t.owes(); err != nil || progress.Step >= o.Config.Train.Steps && !owes {
		return progress, err // and the folder stays as it is
	}
	if progress.Step > 0 {
		o.Log.Info("resuming", "step", progress.Step, "of", o.Config.Train.Steps)
		if o.Ranks.First() {
			run.warnOfRoundings(o.Log, o.Versions)
		}
	}
	if o.Ranks.First() {
		if err := run.describe(o.commandLine(), o.Versions); err != nil {
			return progress, err
		}
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

// commandLine is how the training was started: a comment says by how many ranks.
func (o Options) commandLine() []string {
	if !o.Ranks.Several() {
		return o.Command
	}
	return append(slices.Clone(o.Command), fmt.Sprintf("# in each of %d ranks", o.Ranks.Size()))
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
	if err := t.checkpointTogether(); err != nil {
		return err
	}
	if !t.Ranks.First() {
		return nil
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
	exchange  *exchange
	round     round
	byLoss    *byLoss // nil if levels are drawn without regard to losses
	validator *validator
	log       *logWriter
	events    *tensorboard.Writer // nil without
	flops     float64             // of a step
	peak      float64             // what Peak gave on all ranks together
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
	if t.stepper, err = newStepper(t.Backend, t.store, t.objective, c, partOf(t.Ranks, c)); err != nil {
		return err
	}
	if c.Train.ValidateEvery > 0 {
		if t.validator, err = newValidator(t.Backend, t.store, t.objective, c, t.Valid, t.Ranks); err != nil {
			return err
		}
	}
	if t.exchange, err = newExchange(t.Ranks, c, t.store); err != nil || !t.Ranks.First() {
		return err
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
