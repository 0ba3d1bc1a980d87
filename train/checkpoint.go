package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/weights"
	"mcvd/train/optimizer"
	"mcvd/train/runs"
)

// Progress is how far a run has come. With the tensors and the experiment it is everything that
// training remembers.
type Progress struct {
	// Step is the number of steps taken. Updates is the number of steps that changed the weights: a
	// batch whose gradients are not finite does not.
	Step    int `json:"step"`
	Updates int `json:"updates"`
	// SkippedInARow is the number of steps right before this one that changed nothing.
	SkippedInARow int `json:"skipped_in_a_row"`
	// BestLoss is the lowest validation loss so far, at step BestStep; 0 before the first
	// validation.
	BestLoss float64 `json:"best_loss"`
	BestStep int     `json:"best_step"`
	// Passed is the number of steps whose batches were passed over after divergences.
	Passed int `json:"passed,omitempty"`
	// Rollbacks is how often training went back to a checkpoint without getting past the step
	// DivergedAt.
	Rollbacks  int `json:"rollbacks,omitempty"`
	DivergedAt int `json:"diverged_at,omitempty"`
	// Unvalidated says that the validation that is due after Step could not be made.
	Unvalidated bool `json:"unvalidated,omitempty"`
	// Scored is the last step of which generated videos were scored.
	Scored int `json:"scored,omitempty"`
	// Replaced is the number of clips so far that stood for others that can't be read.
	Replaced int `json:"replaced,omitempty"`
	// LevelLosses are the recent losses by which levels are drawn, empty if they aren't.
	LevelLosses string `json:"level_losses,omitempty"`
	// Unlogged sums up the steps since the last line of the log, so that the next line includes
	// them.
	Unlogged means `json:"unlogged,omitzero"`
}

// Draw is the number, from 0 on, of the step whose batch and random numbers come next.
func (p Progress) Draw() int { return p.Step + p.Passed }

// Keys of a checkpoint's metadata.
const (
	progressKey = "mcvd.progress" // Progress as JSON
	ConfigKey   = "mcvd.config"   // the experiment as YAML
	dataKey     = "mcvd.data"     // what the run is trained on: splits as JSON
)

// BestCheckpoint names the checkpoint with the lowest validation loss among [Run.Checkpoints].
const BestCheckpoint = "best.safetensors"

// Checkpoints lists the run's numbered checkpoints, newest first.
func (r *Run) Checkpoints() []string {
	dir := filepath.Join(r.Dir, runs.CheckpointsDir)
	entries, _ := os.ReadDir(dir)
	var steps []int
	for _, e := range entries {
		if step, ok := runs.CheckpointStep(e.Name()); ok {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	paths := make([]string, 0, len(steps))
	for _, step := range slices.Backward(steps) {
		paths = append(paths, filepath.Join(dir, runs.CheckpointName(step)))
	}
	return paths
}

// OpenCheckpoint opens the newest checkpoint whose checksums are right and whose values are finite, or the named one: a path,
// [BestCheckpoint] or a file of the run's checkpoints. Broken ones are passed over with a warning.
// Weights of another experiment are an error. It returns os.ErrNotExist if there is no checkpoint.
func (r *Run) OpenCheckpoint(name string, log *slog.Logger) (*weights.File, Progress, error) {
	if name != "" {
		path := filepath.Join(r.Dir, runs.CheckpointsDir, name)
		if _, err := os.Stat(path); err != nil {
			path = name
		}
		f, p, err := openCheckpoint(path)
		if err != nil {
			return nil, p, err
		}
		return r.own(f, p)
	}
	var broken []error
	for _, path := range r.Checkpoints() {
		f, p, err := openCheckpoint(path)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		for _, err := range broken {
			log.Warn("checkpoint is broken, taking an older one", "error", err)
		}
		return r.own(f, p)
	}
	if len(broken) > 0 {
		return nil, Progress{}, r.allBroken(broken)
	}
	return nil, Progress{}, fmt.Errorf("%s: no checkpoint in %s: %w", r.Dir, runs.CheckpointsDir, os.ErrNotExist)
}

// brokenError is the error of a run that has checkpoints, but no numbered one that is whole.
type brokenError struct {
	dir    string
	broken []error // of the newest first
	best   int     // the step of [BestCheckpoint], if that is whole; 0 if not
}

// allBroken looks for what is left.
func (r *Run) allBroken(broken []error) error {
	e := brokenError{dir: r.Dir, broken: broken}
	if f, p, err := openCheckpoint(filepath.Join(r.Dir, runs.CheckpointsDir, BestCheckpoint)); err == nil {
		f.Close()
		e.best = p.Step
	}
	return e
}

func (e brokenError) Error() string {
	text := e.what()
	if e.best > 0 {
		text += fmt.Sprintf("\n%[1]s, of step %[2]d, is whole: --checkpoint %[1]s takes it", BestCheckpoint, e.best)
	}
	return text
}

// what names the files.
func (e brokenError) what() string {
	lines := []string{e.dir + ": every numbered checkpoint is broken:"}
	for _, err := range e.broken {
		lines = append(lines, "  "+err.Error())
	}
	return strings.Join(lines, "\n")
}

// training is the error for who wants to go on training.
func (e brokenError) training() error {
	if e.best == 0 {
		return fmt.Errorf("%s\nremove them to start anew", e.what())
	}
	dir := filepath.Join(e.dir, runs.CheckpointsDir)
	return fmt.Errorf("%s\n%s, of step %d, is whole. To go on from it: remove the broken ones, and cp %s %s", e.what(), BestCheckpoint, e.best,
		filepath.Join(dir, BestCheckpoint), filepath.Join(dir, runs.CheckpointName(e.best)))
}

// own reports weights that don't mean the same as those of this run, though their shapes may be the
// same.
func (r *Run) own(f *weights.File, p Progress) (*weights.File, Progress, error) {
	c, err := settings(f)
	if err == nil {
		if diff := Differences(c, r.Config); len(diff) > 0 {
			err = fmt.Errorf("%s: weights of another experiment than %s:\n  %s", f.Path(), filepath.Join(r.Dir, runs.ConfigFile), strings.Join(diff, "\n  "))
		}
	}
	if err != nil {
		f.Close()
		return nil, p, err
	}
	return f, p, nil
}

// Differences lists, a line each, the settings that make weights of experiment a mean something
// else in experiment b.
func Differences(a, b *configs.Config) []string { return configs.Diff(meaning(a), meaning(b)) }

// OtherProcess lists, a line each, the settings that make a network of experiment a predict something
// else than what experiment b asks of it: noise levels and target.
func OtherProcess(a, b *configs.Config) []string {
	process := func(c *configs.Config) *configs.Config {
		d := c.Diffusion
		return &configs.Config{Diffusion: configs.Diffusion{Steps: d.Steps, Schedule: d.Schedule, Target: d.Target, Options: d.Options}}
	}
	return configs.Diff(process(a), process(b))
}

// meaning is the part of an experiment that determines what its weights mean.
func meaning(c *configs.Config) *configs.Config {
	return &configs.Config{Frames: c.Frames, Model: c.Model, Diffusion: c.Diffusion,
		Data: configs.Data{Size: c.Data.Size, Width: c.Data.Width, Channels: c.Data.Channels}}
}

// OpenWeights opens any checkpoint, of whatever run, and verifies it. It returns the experiment that it
// was trained in.
func OpenWeights(path string) (*weights.File, *configs.Config, error) {
	f, _, err := openCheckpoint(path)
	if err != nil {
		return nil, nil, err
	}
	c, err := settings(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, c, nil
}

// openCheckpoint opens one checkpoint and verifies all of it: checksums, and that values are finite.
func openCheckpoint(path string) (_ *weights.File, p Progress, err error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, p, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	p, ok, err := ReadProgress(path, f.Metadata())
	if err != nil {
		return nil, p, err
	}
	if !ok {
		return nil, p, fmt.Errorf("%s: not a checkpoint of mcvd: no %s in its metadata", path, progressKey)
	}
	return f, p, f.Verify()
}

// ReadProgress reads the progress in a file's metadata, if there is one.
func ReadProgress(path string, metadata map[string]string) (p Progress, ok bool, err error) {
	text, ok := metadata[progressKey]
	if !ok {
		return p, false, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, true, fmt.Errorf("%s: %s: %w", path, progressKey, err)
	}
	within := func(n, most int) bool { return n >= 0 && n <= most }
	if !within(p.Step, math.MaxInt32) || !within(p.Updates, p.Step) || !within(p.SkippedInARow, p.Step) || !within(p.BestStep, p.Step) || p.BestLoss < 0 || p.Replaced < 0 || p.Passed < 0 || p.Rollbacks < 0 || p.DivergedAt < 0 {
		return p, true, fmt.Errorf("%s: %s: not the progress of a training: %s", path, progressKey, text)
	}
	return p, true, nil
}

// restored is a state to go on from.
type restored struct {
	store    *model.Store
	progress Progress
	changes  []string // what was accepted: see [Run.checkChanges]
}

// restore returns the state of the newest checkpoint, or the first state of a run that has none.
func (r *Run) restore(backend compute.Backend, m *models.Model, accept bool, log *slog.Logger) (s restored, err error) {
	f, p, err := r.OpenCheckpoint("", log)
	s.progress = p
	if all := (brokenError{}); errors.As(err, &all) {
		return s, all.training()
	}
	if errors.Is(err, os.ErrNotExist) {
		s.store, err = firstState(backend, m, r.Config)
		if err == nil && r.Config.Train.Teacher != "" {
			err = teach(backend, s.store, m, r.Config, log)
		}
		return s, err
	}
	if err != nil {
		return s, err
	}
	defer f.Close()
	if s.changes, err = r.checkChanges(f, p, accept, log); err != nil {
		return s, err
	}
	u, err := optimizer.New(r.Config)
	if err != nil {
		return s, err
	}
	scopes, missing := scopesOf(u, r.Config), []string(nil)
	if !slices.ContainsFunc(f.Tensors(), func(t weights.Tensor) bool { return strings.HasPrefix(t.Name, outerScope+"/") }) && outer(r.Config) {
		// Rounds of local steps begin here.
		scopes, missing = slices.DeleteFunc(scopes, func(scope string) bool { return scope == outerScope }), []string{outerScope}
	}
	if s.store, err = m.Load(backend, f, scopes...); err == nil {
		err = zeros(s.store, missing)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", r.Dir, err)
	}
	return s, err
}

// firstState is the model's first weights, their average, and zeros for what the optimizer
// remembers.
func firstState(backend compute.Backend, m *models.Model, c *configs.Config) (*model.Store, error) {
	u, err := optimizer.New(c)
	if err != nil {
		return nil, err
	}
	store, err := m.Init(backend, c.Seed)
	if err != nil {
		return nil, err
	}
	return store, zeros(store, remembered(u, c))
}

// zeros are what scopes hold of each weight at first.
func zeros(store *model.Store, scopes []string) error {
	for _, v := range of(store, models.WeightsScope) {
		for _, s := range scopes {
			path, name := model.SplitPath("/" + s + v.Path()[len("/"+models.WeightsScope):])
			if _, err := store.Scope(path).CreateVariable(name, tensors.FromShape(v.Shape())); err != nil {
				return err
			}
		}
	}
	return nil
}
