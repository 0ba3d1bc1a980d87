package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// sheets writes samples that depend on the averaged weights. Call number stop, from 1 on, ends ctx
// instead, as Ctrl-C does.
func sheets(t *testing.T, stop int, cancel context.CancelFunc) func(context.Context, *model.Store, string) error {
	calls := 0
	return func(ctx context.Context, store *model.Store, path string) error {
		if calls++; calls == stop {
			cancel()
			return ctx.Err()
		}
		weights := fmt.Append(nil, values(t, store, "/ema/out/w"))
		return errors.Join(os.WriteFile(path, weights, 0o644), os.WriteFile(filmOf(path), weights, 0o644))
	}
}

func filmOf(sheet string) string { return strings.TrimSuffix(sheet, runs.Sheet) + runs.Film }

// Samples during which a process is stopped, or before which it is killed, are made by the next one.
func TestSamplesThatAreMissingAreMade(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery, c.Train.SampleEvery = 12, 4, 6, 4
	undisturbed := t.TempDir()
	o := options(b, c, undisturbed)
	o.Sample = sheets(t, 0, nil)
	mustTrain(t, o)
	want := snapshotSamples(t, undisturbed)
	if len(want) != 6 {
		t.Fatalf("samples %v, want three sheets and three films", want)
	}
	for stop := 1; stop <= 3; stop++ {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		o := options(b, c, dir)
		o.Sample = sheets(t, stop, cancel)
		if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
			t.Fatalf("stopped in samples %d: %v", stop, err)
		}
		o.Sample = sheets(t, 0, nil)
		mustTrain(t, o)
		if got := snapshotSamples(t, dir); !maps.Equal(got, want) {
			t.Errorf("stopped in samples %d: the samples are %v, want %v", stop, got, want)
		}
		sameRuns(t, dir, undisturbed, c)
	}
	dir := t.TempDir() // killed after the checkpoint of step 8
	if err := os.CopyFS(dir, os.DirFS(undisturbed)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{newest(t, dir), filepath.Join(dir, runs.SamplesDir, runs.SampleName(8, runs.Sheet)), filepath.Join(dir, runs.SamplesDir, runs.SampleName(12, runs.Sheet)), filepath.Join(dir, runs.SamplesDir, runs.SampleName(12, runs.Film))} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	o = options(b, c, dir)
	o.Sample = sheets(t, 0, nil)
	mustTrain(t, o)
	if got := snapshotSamples(t, dir); !maps.Equal(got, want) {
		t.Errorf("killed after a checkpoint: the samples are %v, want %v", got, want)
	}
}

func snapshotSamples(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(dir, runs.SamplesDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all[e.Name()] = string(readFile(t, filepath.Join(dir, runs.SamplesDir, e.Name())))
	}
	return all
}

// failing is a data set that can't be read while fails is true.
type failing struct {
	waves
	fails *bool
}

func (f failing) Clip(i, start, frames int) (clips.Clip, error) {
	if *f.fails {
		return clips.Clip{}, errors.New("the disk is gone")
	}
	return f.waves.Clip(i, start, frames)
}

// Where data can't be read, training ends with a checkpoint of the last step, and what was due after it
// is made up for. It ends with the bytes of a run in which nothing failed.
func TestNoStepIsLostWhereDataCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		valid bool // which split fails
		after int  // the step
		want  int  // the step of the checkpoint
	}{
		"training clips":   {false, 7, 7},
		"validation clips": {true, 5, 6},
	} {
		t.Run(name, func(t *testing.T) {
			b, config := backendtest.OpenGo(t), dense()
			config.Train.ValidateEvery, config.Train.CheckpointEvery, config.Data.OnError = 6, 100, "fail"
			undisturbed := t.TempDir()
			mustTrain(t, options(b, config, undisturbed))
			dir, fails := t.TempDir(), false
			with := func() Options { return disturbed(options(b, config, dir), config, c.valid, &fails) }
			o := with()
			o.Report = func(l runs.Line) { fails = fails || l.Step == c.after }
			_, err := Train(context.Background(), o)
			if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
				t.Fatalf("error %v, want that the disk is gone", err)
			}
			_, p, err := openCheckpoint(newest(t, dir))
			if err != nil || p.Step < c.want || p.Unvalidated != c.valid {
				t.Errorf("the newest checkpoint is of step %d, validation owed %t, %v, want %d or later, %t", p.Step, p.Unvalidated, err, c.want, c.valid)
			}
			fails = false
			mustTrain(t, with())
			sameRuns(t, dir, undisturbed, config)
		})
	}
}

func disturbed(o Options, c *configs.Config, valid bool, fails *bool) Options {
	ds := failing{waves{c.Data.Size, 9}, fails}
	if valid {
		o.Valid = ds
	} else {
		o.Train = ds
	}
	return o
}
