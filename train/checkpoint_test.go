package train

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// Without a numbered checkpoint that is whole, errors name the files that are broken and say what is
// left: the best checkpoint if it is whole, and how to go on from it.
func TestBrokenCheckpointsWithoutAnyGoodOneAreAnError(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery, c.Train.CheckpointEvery, c.Train.Keep = 2, 1, 1, 2
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	run := &Run{Dir: dir, Config: c}
	numbered := run.Checkpoints()
	if len(numbered) != 2 {
		t.Fatalf("checkpoints %v, want two", numbered)
	}
	for _, path := range numbered {
		if err := os.Truncate(path, 50); err != nil {
			t.Fatal(err)
		}
	}
	best := filepath.Join(dir, runs.CheckpointsDir, BestCheckpoint)
	_, p, err := openCheckpoint(best)
	if err != nil {
		t.Fatal(err)
	}
	c.Train.Steps = 4
	copied := filepath.Join(dir, runs.CheckpointsDir, runs.CheckpointName(p.Step))
	refused := func(what string, err error, want ...string) {
		t.Helper()
		for _, w := range append(want, "every numbered checkpoint is broken", numbered[0], numbered[1]) {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v, want %q", what, err, w)
			}
		}
		if errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: error %v is one of files that are missing", what, err)
		}
	}
	_, _, err = run.OpenCheckpoint("", slog.New(slog.DiscardHandler))
	refused("opening", err, fmt.Sprintf("best.safetensors, of step %d, is whole: --checkpoint best.safetensors takes it", p.Step))
	_, err = Train(context.Background(), options(b, c, dir))
	refused("training", err, fmt.Sprintf("cp %s %s", best, copied))

	whole := readFile(t, best)
	if err := os.Truncate(best, 50); err != nil {
		t.Fatal(err)
	}
	_, _, err = run.OpenCheckpoint("", slog.New(slog.DiscardHandler))
	refused("opening without the best", err)
	if strings.Contains(err.Error(), "is whole") {
		t.Errorf("error %v offers a broken file", err)
	}
	_, err = Train(context.Background(), options(b, c, dir))
	refused("training without the best", err, "remove them to start anew")

	for _, path := range numbered {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(copied, whole, 0o644); err != nil { // as the error said
		t.Fatal(err)
	}
	if p := mustTrain(t, options(b, c, dir)); p.Step != 4 {
		t.Errorf("ended at step %d, want 4", p.Step)
	}
}

func TestCheckpointsAreListedFromTheNewest(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, runs.CheckpointsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"step-00000009", "step-00000010", "step-99999999", "step-100000000", "best", "step-00000001.old"} {
		if err := os.WriteFile(filepath.Join(dir, runs.CheckpointsDir, name+".safetensors"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, path := range (&Run{Dir: dir}).Checkpoints() {
		names = append(names, filepath.Base(path))
	}
	want := []string{"step-100000000.safetensors", "step-99999999.safetensors", "step-00000010.safetensors", "step-00000009.safetensors"}
	if !slices.Equal(names, want) {
		t.Errorf("checkpoints %v, want %v", names, want)
	}
}

func TestOnlyTheLastCheckpointsAndTheBestAreKept(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.CheckpointEvery, c.Train.Keep, c.Train.ValidateEvery = 2, 3, 2
	c.Train.Batch, c.Train.Accumulate = 16, 1
	c.Optimizer.LearningRate, c.Optimizer.WarmupSteps = 0.05, 0 // so that the loss goes up and down
	dir := t.TempDir()
	p := mustTrain(t, options(b, c, dir))
	want := []string{"best.safetensors", "step-00000008.safetensors", "step-00000010.safetensors", "step-00000012.safetensors"}
	if got := checkpoints(t, dir); !slices.Equal(got, want) {
		t.Errorf("checkpoints %v, want %v", got, want)
	}
	lowest, step := math.Inf(1), 0
	for _, line := range lines(t, dir) {
		if line.Validation != nil && float64(line.Loss) < lowest {
			lowest, step = float64(line.Loss), line.Step
		}
	}
	if p.BestLoss != lowest || p.BestStep != step {
		t.Errorf("best loss %g of step %d, the lowest logged is %g of step %d", p.BestLoss, p.BestStep, lowest, step)
	}
	f, best, err := (&Run{Dir: dir, Config: c}).OpenCheckpoint(BestCheckpoint, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if best.Step != step || best.BestStep != step || best.BestLoss != lowest {
		t.Errorf("the best checkpoint says %+v, want step %d, loss %g", best, step, lowest)
	}
}

func TestCheckpointsAreOpenedByNameAndChecked(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 4, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	run, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := configs.Diff(run.Config, c); len(diff) > 0 {
		t.Errorf("the folder's experiment differs: %v", diff)
	}
	path := run.Checkpoints()[0]
	for _, name := range []string{"", filepath.Base(path), path} {
		f, p, err := run.OpenCheckpoint(name, slog.Default())
		if err != nil || p.Step != 4 || p.Updates != 4 {
			t.Errorf("%q: progress %+v, error %v, want step 4", name, p, err)
			continue
		}
		f.Close()
	}
	for name, want := range map[string]string{
		"step-00000099.safetensors":           "no such file",
		"../log.jsonl":                        "safetensors",
		filepath.Join(dir, runs.VersionsFile): "safetensors",
	} {
		if _, _, err := run.OpenCheckpoint(name, slog.Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want it to say %q", name, err, want)
		}
	}
	if _, _, err := (&Run{Dir: t.TempDir(), Config: c}).OpenCheckpoint("", slog.Default()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a run without checkpoints: error %v, want os.ErrNotExist", err)
	}
}
