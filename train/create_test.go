package train

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/models/weights"
	"mcvd/train/runs"
)

// ones is an entry of a checkpoint.
func ones() weights.Entry {
	return weights.Entry{Tensor: weights.Tensor{Name: "model/w", DType: weights.F32, Shape: []int{2}},
		Data: func() ([]byte, error) { return []byte{0, 0, 128, 63, 0, 0, 128, 63}, nil }}
}

// unreadable is an entry that can't be read.
func unreadable(err error) weights.Entry {
	e := ones()
	e.Name, e.Data = "model/x", func() ([]byte, error) { return nil, err }
	return e
}

func create(dir string, entries ...weights.Entry) error {
	p := Progress{Step: 3, Updates: 2, SkippedInARow: 1, BestLoss: 0.5, BestStep: 2}
	return Create(dir, toy(), p, entries, []string{"mcvd", "import"}, map[string]string{"mcvd": "test"})
}

// tree lists what is below a folder.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A created folder is a run: its experiment, how it was made, and a checkpoint of the step.
func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folders", "run")
	if err := create(dir, ones()); err != nil {
		t.Fatal(err)
	}
	run, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := configs.Diff(run.Config, toy()); len(diff) > 0 {
		t.Errorf("another experiment: %v", diff)
	}
	f, p, err := run.OpenCheckpoint("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if want := (Progress{Step: 3, Updates: 2, SkippedInARow: 1, BestLoss: 0.5, BestStep: 2}); p != want {
		t.Errorf("progress %+v, want %+v", p, want)
	}
	if values, err := f.Float32s("model/w"); err != nil || !slices.Equal(values, []float32{1, 1}) {
		t.Errorf("weights %v, error %v", values, err)
	}
	if got := string(readFile(t, filepath.Join(dir, runs.CommandsFile))); got != "mcvd import\n" {
		t.Errorf("commands %q", got)
	}
	if !bytes.Contains(readFile(t, filepath.Join(dir, runs.VersionsFile)), []byte(`"mcvd": "test"`)) {
		t.Error("no versions")
	}
	claimed, err := claim(dir, flockOf)
	if err != nil {
		t.Fatalf("the lock is still held: %v", err)
	}
	claimed.unlock()
	before := tree(t, dir)
	if err := create(dir, ones()); err == nil || !strings.Contains(err.Error(), dir+": holds a run already; use another folder") {
		t.Errorf("a second time: error %v", err)
	}
	if !slices.Equal(tree(t, dir), before) {
		t.Error("the second time changed files")
	}
}

// What could be a run, or lies in the way of one, is left alone.
func TestCreateRefusesWhatIsThere(t *testing.T) {
	for name, want := range map[string]string{
		"run/config.yml": "holds a run already",
		"run/log.jsonl":  "holds a run already",
		"run/checkpoints/step-00000007.safetensors": "holds checkpoints/step-00000007.safetensors of a run",
		"run/checkpoints/best.safetensors":          "holds checkpoints/best.safetensors of a run",
		"run":                                       "run is not a folder",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("mine\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		run := filepath.Join(dir, "run")
		if err := create(run, ones()); err == nil || !strings.HasPrefix(err.Error(), run+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want the folder and %q", name, err, want)
		}
		if err := create(filepath.Join(path, "below"), ones()); err == nil || !strings.Contains(err.Error(), "is not a folder") {
			t.Errorf("below %s: error %v", name, err)
		}
		if after := tree(t, dir); !slices.Equal(after, before) {
			t.Errorf("%s: %v, want %v", name, after, before)
		}
	}
}

// If anything fails, the disk is as it was, whatever was there.
func TestCreateLeavesNothing(t *testing.T) {
	failure := errors.New("unreadable")
	for name, prepare := range map[string]func(dir string) error{
		"no folder":       func(string) error { return nil },
		"an empty folder": func(dir string) error { return os.MkdirAll(dir, 0o755) },
		"a hidden file":   func(dir string) error { return writeIn(dir, ".notes") },
		"an empty folder of checkpoints and a lock": func(dir string) error {
			return errors.Join(os.MkdirAll(filepath.Join(dir, runs.CheckpointsDir), 0o755), writeIn(dir, runs.LockFile))
		},
		"a folder beside": func(dir string) error { return os.MkdirAll(filepath.Join(filepath.Dir(dir), "other"), 0o755) },
	} {
		top := t.TempDir()
		dir := filepath.Join(top, "a", "b")
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
		before := tree(t, top)
		if err := create(dir, ones(), unreadable(failure)); !errors.Is(err, failure) {
			t.Errorf("%s: error %v, want %v", name, err, failure)
		}
		if after := tree(t, top); !slices.Equal(after, before) {
			t.Errorf("%s: left %v, want %v", name, after, before)
		}
		// What describes the run comes last, and may fail, too.
		if err := os.MkdirAll(filepath.Join(dir, runs.VersionsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		before = tree(t, top)
		if err := create(dir, ones()); err == nil {
			t.Errorf("%s: no error for a folder in the place of %s", name, runs.VersionsFile)
		}
		if after := tree(t, top); !slices.Equal(after, before) {
			t.Errorf("%s: left %v, want %v", name, after, before)
		}
	}
}

// What a process left that was killed while it made a run is no run: the same call makes it.
func TestCreateAfterAKill(t *testing.T) {
	for _, left := range [][]string{
		{unfinished, runs.LockFile},
		{unfinished, runs.LockFile, "checkpoints/step-00000003.safetensors", "checkpoints/step-00000007.safetensors"},
		{unfinished, runs.LockFile, "checkpoints/step-00000003.safetensors", runs.VersionsFile, runs.CommandsFile},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		for _, name := range left {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("half"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if err := create(dir, ones()); err != nil {
			t.Fatalf("after %v: %v", left, err)
		}
		if got := checkpoints(t, dir); !slices.Equal(got, []string{runs.CheckpointName(3)}) {
			t.Errorf("after %v: checkpoints %v, want one", left, got)
		}
		if _, err := os.Lstat(filepath.Join(dir, unfinished)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after %v: the mark is there: %v", left, err)
		}
	}
}

func writeIn(dir, name string) error {
	return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte("mine\n"), 0o644))
}

// A folder in which another process is at work stays that process's.
func TestCreateInALockedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	claimed, err := claim(dir, flockOf)
	if err != nil {
		t.Fatal(err)
	}
	defer claimed.unlock()
	before := tree(t, dir)
	if err := create(dir, ones()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error %v, want that another process is there", err)
	}
	if after := tree(t, dir); !slices.Equal(after, before) {
		t.Errorf("left %v, want %v", after, before)
	}
}

// Progress is read as it was written; what can't be is an error that names the file.
func TestReadProgress(t *testing.T) {
	want := Progress{Step: 5, Updates: 4, BestLoss: 0.25, BestStep: 3}
	metadata, err := Metadata(toy(), want)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok, err := ReadProgress("f", metadata); err != nil || !ok || p != want {
		t.Errorf("progress %+v, %t, error %v, want %+v", p, ok, err, want)
	}
	if p, ok, err := ReadProgress("f", nil); err != nil || ok || p != (Progress{}) {
		t.Errorf("no metadata: progress %+v, %t, error %v", p, ok, err)
	}
	for _, text := range []string{`{"step": 5, "updates": 6}`, `{"step": 9223372036854775807}`, `{"step": 5, "best_step": -3}`, `{"step": 5, "best_loss": -1e300}`,
		`{"step": 5, "skipped_in_a_row": 6}`, "", "five", `{"step": 1.5}`, `{"step": -1}`, `{"updates": -1}`, `{"step": "5"}`} {
		if _, _, err := ReadProgress("f", map[string]string{progressKey: text}); err == nil || !strings.HasPrefix(err.Error(), "f: mcvd.progress: ") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
