package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/weights"
	"mcvd/train/runs"
)

// No tensor that is not finite gets into a checkpoint: the training ends, and the checkpoints before are
// as they were.
func TestValuesThatAreNotFiniteAreNeverSaved(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery, c.Train.Keep = 3, 1, 0, 3
	c.Optimizer.LearningRate, c.Optimizer.WarmupSteps = 1e39, 0 // more than a float32 holds
	dir := t.TempDir()
	_, err := Train(context.Background(), options(b, c, dir))
	if err == nil || !errors.As(err, new(weights.NotFiniteError)) || !strings.Contains(err.Error(), "there is none yet") {
		t.Errorf("error %v, want one of values that are not finite", err)
	}
	if got := checkpoints(t, dir); len(got) > 0 {
		t.Errorf("checkpoints %v, want none", got)
	}
}

// A checkpoint in which any state is not finite is not one to go on from: an older one is.
func TestValuesThatAreNotFiniteAreNotLoaded(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery = 2, 1, 0
	undisturbed := t.TempDir()
	mustTrain(t, options(b, c, undisturbed))
	f, _, err := openCheckpoint(newest(t, undisturbed))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scopes := map[string]string{} // a tensor of each
	for _, tensor := range f.Tensors() {
		for _, scope := range []string{"model/", "ema/", "adam/mean/", "adam/square/"} {
			if strings.HasPrefix(tensor.Name, scope) {
				scopes[scope] = tensor.Name
			}
		}
	}
	if len(scopes) != 4 {
		t.Fatalf("tensors %v, want some of the weights, their average, and Adam's two", scopes)
	}
	for _, bad := range scopes {
		var entries []weights.Entry
		for _, tensor := range f.Tensors() {
			data, err := f.Read(tensor.Name)
			if err != nil {
				t.Fatal(err)
			}
			if tensor.Name == bad {
				binary.LittleEndian.PutUint32(data, math.Float32bits(float32(math.NaN())))
			}
			entries = append(entries, weights.Entry{Tensor: tensor, Data: func() ([]byte, error) { return data, nil }})
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(undisturbed)); err != nil {
			t.Fatal(err)
		}
		metadata := f.Metadata()
		if err := weights.Write(newest(t, dir), metadata, entries); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		o := options(b, c, dir)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		mustTrain(t, o)
		sameRuns(t, dir, undisturbed, c)
		if !strings.Contains(log.String(), bad) || !strings.Contains(log.String(), "values are not finite") {
			t.Errorf("%s: says %s", bad, &log)
		}
	}
}

// spoiled is a model of which some draws of noise levels are not finite, and so their losses.
type spoiled struct {
	*models.Model
	bad map[uint64]bool // what the generators of these draws begin with
}

// spoil spoils the draws that spoils says, of the first thousand.
func spoil(t *testing.T, c *configs.Config, spoils func(draw int) bool) spoiled {
	t.Helper()
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := spoiled{m, map[uint64]bool{}}
	for draw := range 1000 {
		if spoils(draw) {
			s.bad[levelsOf(c, draw, 0).Uint64()] = true
		}
	}
	return s
}

func (s spoiled) DrawLevels(rng *rand.Rand, batch int) *tensors.Tensor {
	bad := s.bad[rng.Uint64()]
	table := s.Model.DrawLevels(rng, batch)
	if bad {
		tensors.MustMutableFlatData(table, func(flat []float32) {
			for i := range flat {
				flat[i] = float32(math.NaN())
			}
		})
	}
	return table
}

// divergent is a training for them.
func divergent(policy string) *configs.Config {
	c := dense()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery, c.Train.OnDivergence = 20, 4, 5, policy
	return c
}

// A training that diverges goes back to the newest checkpoint that was due and passes over the batches
// since then. That it did is in the log and in the checkpoints. Wherever it is stopped, it ends with the
// same bytes.
func TestADivergenceIsRolledBack(t *testing.T) {
	b, c := backendtest.OpenGo(t), divergent("rollback")
	// Steps 6 to 15 take draws 5 to 14. From step 4 on it then takes draws 15 and more.
	m := spoil(t, c, func(draw int) bool { return 5 <= draw && draw < 15 || 17 <= draw && draw < 27 })
	var log bytes.Buffer
	run := func(ctx context.Context, o Options) (Progress, error) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		return train(ctx, o, m.Model, m)
	}
	dir := t.TempDir()
	p, err := run(context.Background(), options(b, c, dir))
	if err != nil {
		t.Fatal(err)
	}
	if p.Step != 20 || p.Updates != 20 || p.Passed != 27-4 {
		t.Errorf("%d steps, %d updates, %d steps passed over, want 20, 20 and the 23 from draw 4 to 26", p.Step, p.Updates, p.Passed)
	}
	passed := 0
	for _, l := range lines(t, dir) {
		passed += l.Passed
	}
	if passed != p.Passed || strings.Count(log.String(), "training diverged; it goes back to a checkpoint") != 2 {
		t.Errorf("the log has %d steps passed over, want %d: %s", passed, p.Passed, &log)
	}
	for _, step := range []int{2, 5, 8, 12, 17} {
		stopped := t.TempDir()
		ctx, o := stopAt(options(b, c, stopped), step)
		if _, err := run(ctx, o); !errors.Is(err, ErrStopped) {
			t.Fatalf("stopped at step %d: %v", step, err)
		}
		if _, err := run(context.Background(), options(b, c, stopped)); err != nil {
			t.Fatal(err)
		}
		sameRuns(t, stopped, dir, c)
	}
}

// If it diverges again and again, it goes back to the weights with the lowest validation loss, and in
// the end it stops. Without the option it stops at once.
func TestADivergenceThatComesAgainEndsTheTraining(t *testing.T) {
	b := backendtest.OpenGo(t)
	bad := map[string]func(draw int) bool{
		"all":           func(draw int) bool { return draw >= 9 },
		"all but a few": func(draw int) bool { return draw >= 9 && draw%19 > 2 }, // each time it comes a little further
	}
	for _, c := range []struct {
		policy, bad, error string
		to                 []string // the steps that it goes back to
	}{
		{"stop", "all", "the newest good one is of step 8: try a lower optimizer.learning_rate, or train.on_divergence: rollback", nil},
		{"rollback", "all", "so it was after each of 6 rollbacks; the newest good one is of step 4", []string{"8", "8", "8", "5", "5", "5"}},
		{"rollback", "all but a few", "so it was after each of 6 rollbacks", make([]string, 6)},
	} {
		t.Run(c.policy+", "+c.bad, func(t *testing.T) { comesAgain(t, b, c.policy, bad[c.bad], c.error, c.to) })
	}
}

func comesAgain(t *testing.T, b compute.Backend, policy string, bad func(draw int) bool, want string, to []string) {
	c := divergent(policy)
	c.Train.Steps = 200
	m := spoil(t, c, bad)
	dir := t.TempDir()
	o := options(b, c, dir)
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	_, err := train(context.Background(), o, m.Model, m)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	var steps []string
	for _, line := range regexp.MustCompile(`goes back to a checkpoint.* step=(\d+)`).FindAllStringSubmatch(log.String(), -1) {
		steps = append(steps, line[1])
	}
	if len(steps) != len(to) || len(to) > 0 && to[0] != "" && !slices.Equal(steps, to) {
		t.Errorf("went back to steps %v, want %v", steps, to)
	}
	if len(checkpoints(t, dir)) < 2 {
		t.Errorf("only %v is left", checkpoints(t, dir))
	}
}

// A run whose checkpoints are all of steps between those at which one is due keeps what it has.
func TestARollbackNeverLosesTheLastCheckpoint(t *testing.T) {
	b, c := backendtest.OpenGo(t), divergent("rollback")
	c.Train.Keep = 1
	m := spoil(t, c, func(draw int) bool { return 7 <= draw && draw < 17 })
	dir := t.TempDir()
	ctx, o := stopAt(options(b, c, dir), 6) // it keeps one, that of step 6
	if _, err := train(ctx, o, m.Model, m); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o = options(b, c, dir)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	p, err := train(context.Background(), o, m.Model, m)
	if err != nil || p.Passed != 17-6 || !strings.Contains(log.String(), "step=6 batches_of_steps=11") {
		t.Errorf("%d steps passed over, %v, want 11 from step 6 on: %s", p.Passed, err, &log)
	}
	// If the best can't be copied, nothing is removed.
	run := &Run{Dir: dir, Config: c}
	if err := os.Remove(filepath.Join(dir, runs.CheckpointsDir, BestCheckpoint)); err != nil {
		t.Fatal(err)
	}
	before := checkpoints(t, dir)
	if err := run.backTo(Progress{Step: 3}); err == nil {
		t.Error("no error, although there is no such checkpoint")
	}
	if after := checkpoints(t, dir); !slices.Equal(after, before) {
		t.Errorf("checkpoints %v, want %v", after, before)
	}
}

// Checkpoints of the experiment before a change, which stay for good, are none to go back to: training
// could not go on from them.
func TestARollbackStaysInItsExperiment(t *testing.T) {
	b, c, dir := backendtest.OpenGo(t), toy(), t.TempDir()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.KeepSteps, c.Train.Keep, c.Train.ValidateEvery = 6, 4, 4, 2, 0
	mustTrain(t, options(b, c, dir))
	c.Train.Steps, c.Optimizer.LearningRate = 7, c.Optimizer.LearningRate/2
	o := options(b, c, dir)
	o.AcceptChanges = true
	mustTrain(t, o)
	var steps []string
	for _, path := range checkpoints(t, dir) {
		steps = append(steps, filepath.Base(path))
	}
	run := &Run{Dir: dir, Config: c, data: splitsOf(o)}
	if len(run.Checkpoints()) != 3 || !slices.Contains(steps, runs.CheckpointName(4)) {
		t.Fatalf("checkpoints %v, want those of steps 4, 6 and 7", steps)
	}
	if p := run.regular(); p.Step != 7 {
		t.Errorf("it goes back to step %d, want 7, the newest of the experiment", p.Step)
	}
	other := *c
	other.Optimizer.LearningRate *= 2
	if p := (&Run{Dir: dir, Config: &other, data: splitsOf(o)}).regular(); p.Step != 4 {
		t.Errorf("before the change it would go back to step %d, want 4", p.Step)
	}
	o.Train = waves{c.Data.Size, 8}
	if p := (&Run{Dir: dir, Config: c, data: splitsOf(o)}).regular(); p.Step != 0 {
		t.Errorf("with other data it goes back to step %d, want none", p.Step)
	}
}
