package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// inRounds is an experiment whose ranks make four steps by themselves.
func inRounds(t *testing.T, byLoss bool) *configs.Config {
	t.Helper()
	c := dense()
	if byLoss {
		c = byTheirLosses()
	}
	c.Train.Steps, c.Train.ValidateEvery, c.Train.CheckpointEvery = 16, 8, 4
	c.Train.Ranks = configs.Ranks{Name: "local", Options: configs.Options{"sync_every": 4}}
	if err := experiment.Resolve(c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Ranks that make steps by themselves end with the same bytes every time. A run that is stopped ends with
// the round, and goes on to the same bytes. So it does where levels are drawn by the losses of all ranks.
func TestRanksThatMakeStepsByThemselves(t *testing.T) {
	b := backendtest.Open(t)
	for _, byLoss := range []bool{false, true} {
		c := inRounds(t, byLoss)
		whole, stopped := t.TempDir(), t.TempDir()
		if err := errors.Join(together(t, b, c, whole, 2, nil)...); err != nil {
			t.Fatal(err)
		}
		for k, err := range together(t, b, c, stopped, 2, func(k int, ctx context.Context, o Options) (context.Context, Options) {
			if k == 1 {
				return stopAt(o, 5)
			}
			return ctx, o
		}) {
			if !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "step 8 of 16") {
				t.Errorf("by loss %v: rank %d: %v, want that it was stopped at the end of its round", byLoss, k, err)
			}
		}
		if err := errors.Join(together(t, b, c, stopped, 2, nil)...); err != nil {
			t.Fatal(err)
		}
		sameRuns(t, stopped, whole, c)
	}
	c := inRounds(t, false)
	c.Train.CheckpointEvery, c.Train.ValidateEvery = 6, 7
	err := experiment.Resolve(c)
	for _, want := range []string{"train.checkpoint_every: 6, want a multiple of train.ranks.options.sync_every, 4", "train.validate_every: 7, want a multiple"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("checkpoints and validations within a round: %v, want %q", err, want)
		}
	}
}

// inLongRounds are two rounds of 16 steps.
func inLongRounds(t *testing.T) *configs.Config {
	c := inRounds(t, false)
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery = 32, 16, 0
	c.Train.Ranks.Options["sync_every"] = 16
	c.Data.OnError = "fail"
	return c
}

// slow is a data set that can't be read from one event to another.
type slow struct {
	waves
	from, to <-chan struct{}
}

func (d slow) Clip(i, start, frames int) (clips.Clip, error) {
	select {
	case <-d.from:
		select {
		case <-d.to:
		case <-time.After(time.Minute):
			return clips.Clip{}, errors.New("the other rank waits")
		}
	default:
	}
	return d.waves.Clip(i, start, frames)
}

// Within a round no rank waits for another: while one can't read its data, after the first step of a round,
// the other one makes all but the last.
func TestRanksDontWaitWithinARound(t *testing.T) {
	b, c := backendtest.Open(t), inLongRounds(t)
	from, to := make(chan struct{}), make(chan struct{})
	closes := func(at int, event chan struct{}) func(runs.Line) {
		return func(l runs.Line) {
			if l.Step == at {
				close(event)
			}
		}
	}
	if err := errors.Join(together(t, b, c, t.TempDir(), 2, func(k int, ctx context.Context, o Options) (context.Context, Options) {
		if k == 0 {
			o.Report = closes(31, to)
		} else {
			o.Train, o.Valid, o.Report = slow{waves{c.Data.Size, 9}, from, to}, waves{c.Data.Size, 9}, closes(17, from)
		}
		return ctx, o
	})...); err != nil {
		t.Error(err)
	}
}

// breaks is a data set that can't be read once something has happened.
type breaks struct {
	waves
	since <-chan struct{}
}

func (d breaks) Clip(i, start, frames int) (clips.Clip, error) {
	select {
	case <-d.since:
		return clips.Clip{}, errors.New("the disk is gone")
	default:
		return d.waves.Clip(i, start, frames)
	}
}

// What a rank fails at within a round ends all when they come to its end, without a checkpoint of weights
// that only one rank has.
func TestTheFailureOfARankWithinARound(t *testing.T) {
	b, c := backendtest.Open(t), inLongRounds(t)
	dir, since := t.TempDir(), make(chan struct{})
	for k, err := range together(t, b, c, dir, 2, func(k int, ctx context.Context, o Options) (context.Context, Options) {
		if k == 1 {
			o.Train, o.Valid = breaks{waves{c.Data.Size, 9}, since}, waves{c.Data.Size, 9}
			o.Report = func(l runs.Line) {
				if l.Step == 17 {
					close(since)
				}
			}
		}
		return ctx, o
	}) {
		if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
			t.Errorf("rank %d: %v, want why rank 1 failed", k, err)
		}
	}
	run, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := run.Checkpoints(); len(got) != 1 || filepath.Base(got[0]) != runs.CheckpointName(16) {
		t.Errorf("checkpoints %v, want that of step 16 alone", got)
	}
}

// A step of a round is a step of all ranks that did not skip it.
func TestStepsOfARound(t *testing.T) {
	nan := math.NaN()
	skipped := result{Loss: nan, GradientNorm: 1, LearningRate: 3, Skipped: true, Replaced: 1}
	all := []ofRound{
		{Made: []result{{Loss: 1, GradientNorm: 2, LearningRate: 3, Replaced: 1, Losses: [][]float32{{1, 2}, {3, 4}}}, skipped, skipped}},
		{Made: []result{{Loss: 3, GradientNorm: 4, LearningRate: 3, Replaced: 2, Losses: [][]float32{{5, 6}, {7, 8}}}, {Loss: 5, GradientNorm: 6, LearningRate: 3}, skipped}},
	}
	for i, want := range []result{
		{Loss: 2, GradientNorm: 3, LearningRate: 3, Replaced: 3, Losses: [][]float32{{1, 2, 5, 6}, {3, 4, 7, 8}}},
		{Loss: 5, GradientNorm: 6, LearningRate: 3, Replaced: 1},
	} {
		if got := madeByAll(all, i); !reflect.DeepEqual(got, want) {
			t.Errorf("step %d: %+v, want %+v", i, got, want)
		}
	}
	if got := madeByAll(all, 2); !got.Skipped || got.Replaced != 2 {
		t.Errorf("%+v, want a step that all skipped", got)
	}
}

// The log has the lines that it has without rounds.
func TestTheLogOfRounds(t *testing.T) {
	b, c := backendtest.Open(t), inLongRounds(t)
	dir := t.TempDir()
	if err := errors.Join(together(t, b, c, dir, 2, nil)...); err != nil {
		t.Fatal(err)
	}
	var steps []int
	for _, l := range lines(t, dir) {
		if steps = append(steps, l.Step); !(l.Loss > 0) || !(l.LearningRate > 0) {
			t.Errorf("%+v", l)
		}
	}
	if want := []int{10, 16, 20, 30, 32}; !slices.Equal(steps, want) {
		t.Errorf("lines of steps %v, want %v", steps, want)
	}
}

// A run that exchanged gradients goes on with rounds of local steps, and back.
func TestRoundsBeginInARun(t *testing.T) {
	b, c := backendtest.Open(t), inRounds(t, false)
	dir := t.TempDir()
	for i, name := range []string{"gradients", "local", "gradients"} {
		own := *c
		own.Train.Steps, own.Train.Ranks = 8*(i+1), configs.Ranks{Name: name}
		if name == "local" {
			own.Train.Ranks = c.Train.Ranks
		}
		if err := experiment.Resolve(&own); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(together(t, b, &own, dir, 2, func(k int, ctx context.Context, o Options) (context.Context, Options) {
			o.AcceptChanges = true
			return ctx, o
		})...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A rank whose loss is not finite ends all when it is sure of that, not at the end of the round.
func TestADivergenceWithinARound(t *testing.T) {
	b, c := backendtest.Open(t), inLongRounds(t)
	c.Optimizer.LearningRate, c.Optimizer.WarmupSteps = 1e39, 0
	for k, err := range together(t, b, c, t.TempDir(), 2, nil) {
		if err == nil || !strings.Contains(err.Error(), "rank 0, step 11: loss or gradients were not finite in 10 steps in a row") {
			t.Errorf("rank %d: %v, want that the training diverged", k, err)
		}
	}
}

// Data that hang within a round are no stop from which a run goes on.
func TestDataThatHangWithinARound(t *testing.T) {
	b, c := backendtest.Open(t), inLongRounds(t)
	from, never := make(chan struct{}), make(chan struct{})
	defer close(never)
	for k, err := range together(t, b, c, t.TempDir(), 2, func(k int, ctx context.Context, o Options) (context.Context, Options) {
		if k == 1 {
			o.Train, o.Valid, o.Watchdog = slow{waves{c.Data.Size, 9}, from, never}, waves{c.Data.Size, 9}, NewWatchdog(2*time.Second)
			o.Report = func(l runs.Line) {
				if l.Step == 17 {
					close(from)
				}
			}
		}
		return ctx, o
	}) {
		if !errors.Is(err, ErrHangs) || errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "rank 1 has no data for step") {
			t.Errorf("rank %d: %v, want that rank 1 hangs", k, err)
		}
	}
}

// Weights that a rank has for itself are not saved for the run.
func TestNothingIsRescuedWithinARound(t *testing.T) {
	tr := &trainer{round: round{made: []result{{}}}}
	if err := tr.rescue(); err == nil || !strings.Contains(err.Error(), "weights of their own") {
		t.Errorf("%v", err)
	}
}

// One rank by itself, whose weights follow all that it has learned, trains as without rounds.
func TestRoundsOfOneRank(t *testing.T) {
	b := backendtest.Open(t)
	c := dense()
	plain, rounds := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, plain))
	c.Train.Ranks = configs.Ranks{Name: "local", Options: configs.Options{"sync_every": 2, "rate": 1, "momentum": 0}}
	mustTrain(t, options(b, c, rounds))
	f, g := opened(t, rounds, c.Train.Steps), opened(t, plain, c.Train.Steps)
	for _, tensor := range g.Tensors() {
		x, errX := f.Float32s(tensor.Name)
		y, errY := g.Float32s(tensor.Name)
		if errX != nil || errY != nil {
			t.Fatal(tensor.Name, errX, errY)
		}
		for i := range x {
			if d := math.Abs(float64(x[i] - y[i])); !(d <= 1e-5) {
				t.Fatalf("%s: %g, want %g", tensor.Name, x[i], y[i])
			}
		}
	}
}
