package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// A process whose folder was removed or moved stops at the next save, and what lies at the path by then
// stays as it is.
func TestARunFolderThatWasReplaced(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery, c.Train.SampleEvery = 8, 4, 2, 3
	for _, when := range []int{1, 2, 3, 4} { // before a validation, samples, a checkpoint, and a validation
		dir := filepath.Join(t.TempDir(), "run")
		o := options(b, c, dir)
		o.Sample = func(_ context.Context, _ *model.Store, path string) error { return os.WriteFile(path, nil, 0o644) }
		var others []string
		o.Report = func(l runs.Line) {
			if l.Step != when || l.Validation != nil {
				return
			}
			if err := os.Rename(dir, dir+"-moved"); err != nil {
				t.Error(err)
			}
			other := *c
			other.Seed++
			other.Train.Steps = 1
			mustTrain(t, options(b, &other, dir))
			others = snapshotFolder(t, dir)
		}
		if _, err := Train(context.Background(), o); !errors.Is(err, errReplaced) || !strings.Contains(err.Error(), dir) {
			t.Errorf("replaced in step %d: error %v, want that the folder was replaced", when, err)
		}
		if now := snapshotFolder(t, dir); len(others) == 0 || !slices.Equal(now, others) {
			t.Errorf("replaced in step %d: the other run's folder holds\n%s\nand held\n%s", when, now, others)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, runs.CheckpointsDir, ".*")); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
}

// The folder may be replaced while a checkpoint is written, too.
func TestARunFolderThatIsReplacedDuringASave(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.Steps, c.Train.ValidateEvery, c.Train.CheckpointEvery = 2, 0, 1
	dir := filepath.Join(t.TempDir(), "run")
	mustTrain(t, options(b, c, dir))
	run, unlock, err := start(dir, c, false)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	first := ones()
	read := first.Data
	first.Data = func() ([]byte, error) { // the temporary file is in the old folder
		if err := os.Rename(dir, dir+"-moved"); err != nil {
			t.Error(err)
		}
		mustTrain(t, options(b, c, dir))
		return read()
	}
	second := ones()
	second.Name = "model/x"
	if err := run.save(runs.CheckpointName(3), append(run.guarded(nil), first, second), Progress{Step: 3, Updates: 3}); !errors.Is(err, errReplaced) {
		t.Errorf("error %v, want that the folder was replaced", err)
	}
	if _, err := os.Stat(filepath.Join(dir, runs.CheckpointsDir, runs.CheckpointName(3))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the checkpoint is in the other run's folder: %v", err)
	}
}

// What a link in a run folder leads to is not overwritten.
func TestLinksInARunFolderAreRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.Steps, c.Train.ValidateEvery = 1, 0
	for _, name := range append(runs.Files(), runs.CheckpointsDir, runs.SamplesDir) {
		dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
		if err := os.WriteFile(elsewhere, []byte("dear"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := Train(context.Background(), options(b, c, dir)); err == nil || !strings.Contains(err.Error(), name+": a link") {
			t.Errorf("%s: error %v, want that it is a link", name, err)
		}
		if text := readFile(t, elsewhere); string(text) != "dear" {
			t.Errorf("%s: what the link leads to is %q", name, text)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, options(b, c, link)) // the folder as a whole may be one
}
