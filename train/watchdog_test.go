package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

func TestTheWatchdogsPatience(t *testing.T) {
	if w := NewWatchdog(0); w != nil {
		t.Error("without patience: a watchdog, want none")
	}
	var none *Watchdog
	none.Alive()
	none.begin("nothing")
	recorded := 0
	record := recorder{func(why error) error { recorded++; return nil }, "somewhere"}
	synctest.Test(t, func(t *testing.T) {
		// Work that takes hours, but gives signs of life.
		w := NewWatchdog(time.Minute)
		time.Sleep(time.Hour) // it doesn't watch yet
		p, err := w.watch(t.Context(), record, func(ctx context.Context) (Progress, error) {
			for range 200 {
				time.Sleep(59 * time.Second)
				w.Alive()
			}
			return Progress{Step: 7}, ctx.Err()
		})
		if err != nil || p.Step != 7 {
			t.Errorf("work with signs of life: step %d, error %v", p.Step, err)
		}
		// Work that gives none, and ends when it is told to.
		began := time.Now()
		w = NewWatchdog(time.Minute)
		p, err = w.watch(t.Context(), record, func(ctx context.Context) (Progress, error) {
			w.begin("reading")
			<-ctx.Done()
			return Progress{Step: 3}, ErrStopped
		})
		if d := time.Since(began); !errors.Is(err, ErrHangs) || !errors.Is(err, ErrStopped) || p.Step != 3 || d != time.Minute {
			t.Errorf("work without signs of life: after %v step %d, error %v", d, p.Step, err)
		}
		if !strings.Contains(err.Error(), "no progress for 1m0s while reading") {
			t.Errorf("error %v does not say what hangs", err)
		}
		// Work that does not, and can't be saved either.
		began, w = time.Now(), NewWatchdog(time.Minute)
		end := make(chan bool)
		w.guard(func() error { <-end; return nil })
		_, err = w.watch(t.Context(), record, func(ctx context.Context) (Progress, error) { <-end; return Progress{}, nil })
		if d := time.Since(began); !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), "no checkpoint could be written: that hung for 1m0s, too") || d != 3*time.Minute {
			t.Errorf("work that does not end: after %v error %v", d, err)
		}
		close(end)
		// Work that takes its time to end, but shows that it does.
		began, w = time.Now(), NewWatchdog(time.Hour)
		p, err = w.watch(t.Context(), record, func(ctx context.Context) (Progress, error) {
			<-ctx.Done()
			for range 10 {
				time.Sleep(59 * time.Second)
				w.Alive()
			}
			return Progress{Step: 5}, ErrStopped
		})
		if d := time.Since(began); !errors.Is(err, ErrHangs) || p.Step != 5 || d != time.Hour+590*time.Second {
			t.Errorf("work that takes long to end: after %v step %d, error %v", d, p.Step, err)
		}
		if recorded != 3 {
			t.Errorf("recorded %d times, want 3", recorded)
		}
	})
}

// hung is a watchdog whose patience ends when a test calls expire.
func hung() *Watchdog {
	w := NewWatchdog(time.Hour)
	w.grace = time.Second
	return w
}

// Samples that never come, as on a device that hangs: the training is left behind, and saved from
// outside. Another process goes on to the end of a run that was never disturbed.
func TestATrainingThatHangsIsSaved(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery, c.Train.SampleEvery = 12, 4, 4, 6
	undisturbed := t.TempDir()
	mustTrain(t, options(b, c, undisturbed))

	o, w := options(b, c, t.TempDir()), hung()
	end := make(chan bool)
	defer close(end)
	o.Watchdog = w
	o.Sample = func(context.Context, *model.Store, string) error {
		w.expire()
		<-end
		return nil
	}
	_, err := Train(context.Background(), o)
	if !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), "while making the samples of step 6") || !strings.Contains(err.Error(), "a checkpoint was written") {
		t.Fatalf("error %v, want that it hangs in the samples of step 6, and that a checkpoint was written", err)
	}
	if got := filepath.Base(newest(t, o.Dir)); got != runs.CheckpointName(6) {
		t.Errorf("the newest checkpoint is %s, want that of step 6", got)
	}
	stacks := string(readFile(t, filepath.Join(o.Dir, runs.StacksFile)))
	if !strings.Contains(stacks, "TestATrainingThatHangsIsSaved.func") || !strings.Contains(stacks, "no progress for 1h0m0s") {
		t.Errorf("the stacks don't say where it hangs:\n%.2000s", stacks)
	}
	mustTrain(t, options(b, c, o.Dir))
	sameRuns(t, o.Dir, undisturbed, c)
}

// A training that hangs while the device's peak is measured is saved as after any other step.
func TestAPeakThatHangsIsSaved(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery = 3, 1, 1
	undisturbed := t.TempDir()
	mustTrain(t, options(b, c, undisturbed))
	o, w := options(b, c, t.TempDir()), hung()
	end := make(chan bool)
	defer close(end)
	o.Watchdog = w
	o.Peak = func(context.Context) float64 {
		w.expire()
		<-end
		return 0
	}
	if _, err := Train(context.Background(), o); !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), "measuring the device's peak") {
		t.Fatalf("error %v, want that it hangs in measuring the peak", err)
	}
	mustTrain(t, options(b, c, o.Dir))
	sameRuns(t, o.Dir, undisturbed, c)
}

// stuck is a data set that gives no more clips from some call on.
type stuck struct {
	clips.Dataset
	calls atomic.Int32
	from  int32
	stuck func()
}

func (s *stuck) Clip(i, start, frames int) (clips.Clip, error) {
	if s.calls.Add(1) >= s.from {
		s.stuck()
	}
	return s.Dataset.Clip(i, start, frames)
}

// Data that never comes: the training ends by itself, with a checkpoint.
func TestATrainingWhoseDataHangEnds(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery = 12, 8, 6
	undisturbed := t.TempDir()
	mustTrain(t, options(b, c, undisturbed))
	for _, split := range []clips.Split{clips.Train, clips.Valid} {
		o, w := options(b, c, t.TempDir()), hung()
		end := make(chan bool)
		o.Watchdog = w
		hangs := &stuck{stuck: func() { w.expire(); <-end }}
		if split == clips.Train {
			hangs.Dataset, hangs.from, o.Train = o.Train, 20, hangs
		} else {
			hangs.Dataset, hangs.from, o.Valid = o.Valid, 5, hangs
		}
		_, err := Train(context.Background(), o)
		if !errors.Is(err, ErrHangs) {
			t.Fatalf("%s: error %v, want that it hangs", split, err)
		}
		t.Logf("%v", err)
		if _, err := os.Stat(filepath.Join(o.Dir, runs.StacksFile)); err != nil {
			t.Error(err)
		}
		close(end)
		mustTrain(t, options(b, c, o.Dir))
		sameRuns(t, o.Dir, undisturbed, c)
	}
}
