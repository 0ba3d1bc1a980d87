package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/configs/experiment"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// A folder's name may look like a pattern of file names.
func TestAFolderOfAnyNameIsResumed(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery, c.Train.Accumulate, c.Train.CheckpointEvery, c.Train.Keep = 3, 0, 1, 1, 1
	dir := filepath.Join(t.TempDir(), "lr[2e-4] *?")
	ctx, o := stopAt(options(b, c, dir), 2)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	left := filepath.Join(dir, runs.CheckpointsDir, atomicfile.Prefix+"1")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o = options(b, c, dir)
	var steps []int
	o.Report = func(l runs.Line) { steps = append(steps, l.Step) }
	mustTrain(t, o)
	if !slices.Equal(steps, []int{3}) {
		t.Errorf("steps %v after a stop at step 2, want 3", steps)
	}
	if got := checkpoints(t, dir); !slices.Equal(got, []string{runs.CheckpointName(c.Train.Steps)}) {
		t.Errorf("checkpoints %v, want the last", got)
	}
}

func TestAnotherExperimentInTheFolderIsRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 4, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	before := snapshotFolder(t, dir)
	other := *c
	other.Model.Options = maps.Clone(c.Model.Options)
	other.Model.Options["width"], other.Train.Steps = 8, 2
	_, err := Train(context.Background(), options(b, &other, dir))
	for _, want := range []string{dir, "another experiment", "model.options.width: 4 -> 8"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
	if after := snapshotFolder(t, dir); !slices.Equal(after, before) {
		t.Errorf("the folder holds\n%s\nand held\n%s", after, before)
	}
	refused := *c
	refused.Train.Devices = b.NumDevices() + 1
	if _, err := Train(context.Background(), options(b, &refused, dir)); err == nil || !strings.Contains(err.Error(), "train.devices: ") {
		t.Errorf("more devices than there are: error %v", err)
	}
	if after := snapshotFolder(t, dir); !slices.Equal(after, before) {
		t.Errorf("refused, but the folder holds\n%s\nand held\n%s", after, before)
	}
	accumulated := *c
	accumulated.Train.Accumulate++
	if _, err := Train(context.Background(), options(b, &accumulated, dir)); err == nil || !strings.Contains(err.Error(), "train.accumulate: ") {
		t.Errorf("other steps: error %v", err)
	}
	grown := *c
	grown.Train.Devices, grown.Train.GradientCheckpointing = 0, true // how steps are computed, not which: may change
	grown.Train.Steps = 6
	if p := mustTrain(t, options(b, &grown, dir)); p.Step != 6 {
		t.Errorf("ended at step %d, want 6", p.Step)
	}
	if run, err := OpenRun(dir); err != nil || run.Config.Train.Steps != 6 {
		t.Errorf("the folder's experiment is %v, error %v, want 6 steps", run, err)
	}
}

// Weights that fit by their shapes but were learned for something else are no use, and a folder
// that isn't a run gets no files.
func TestForeignWeightsAndFoldersAreRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 2, 0
	other := *c
	other.Diffusion.Schedule, other.Diffusion.Options = "cosine", nil
	dir, otherDir := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, dir))
	mustTrain(t, options(b, &other, otherDir))
	foreign, stray := filepath.Join(otherDir, runs.CheckpointsDir, runs.CheckpointName(2)), filepath.Join(dir, runs.CheckpointsDir, runs.CheckpointName(3))
	if err := os.WriteFile(stray, readFile(t, foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", foreign, filepath.Base(stray)} {
		_, _, err := (&Run{Dir: dir, Config: c}).OpenCheckpoint(name, slog.Default())
		if err == nil || !strings.Contains(err.Error(), "another experiment") || !strings.Contains(err.Error(), `diffusion.schedule: "cosine" -> "linear"`) {
			t.Errorf("%q: error %v, want one about diffusion.schedule", name, err)
		}
	}
	if _, err := Train(context.Background(), options(b, c, dir)); err == nil || !strings.Contains(err.Error(), "another experiment") {
		t.Errorf("resuming: error %v, want one about another experiment", err)
	}
	same := *c
	same.Seed, same.Data.Path, same.Train.Steps = 8, "elsewhere", 9
	f, _, err := (&Run{Dir: dir, Config: &same}).OpenCheckpoint(runs.CheckpointName(2), slog.Default())
	if err != nil {
		t.Fatalf("other data: error %v, want none", err)
	}
	f.Close()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, runs.ConfigFile), []byte("port: 80\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := snapshotFolder(t, folder)
	if _, err := Train(context.Background(), options(b, c, folder)); err == nil {
		t.Error("trained into a folder of something else")
	}
	if after, _ := os.ReadDir(folder); len(after) != len(before) {
		t.Errorf("the folder of something else holds %v, want what it held", after)
	}
}

// snapshotFolder lists a folder's files with their content.
func snapshotFolder(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, fmt.Sprintf("%s %x", path, readFile(t, path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Settings that may change have no effect on a run that has no step left, and that is said.
func TestChangedSettingsOfAFinishedRun(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 2, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	for steps, want := range map[int]string{
		2: "these changes have no effect, because no step is left: train.keep: 2 -> 1",
		3: "going on with changed settings: train.steps: 2 -> 3, train.keep: 2 -> 1",
	} {
		changed := *c
		changed.Train.Keep, changed.Train.Steps = 1, steps
		var log bytes.Buffer
		o := options(b, &changed, t.TempDir())
		if err := os.CopyFS(o.Dir, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		mustTrain(t, o)
		if !strings.Contains(log.String(), want) || strings.Count(log.String(), "train.keep") != 1 {
			t.Errorf("%d steps: says %s, want %s", steps, &log, want)
		}
	}
}

// No file of it changes, also if fewer steps are asked for.
func TestAFinishedRunIsLeftAsItIs(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 4, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	before := snapshotFolder(t, dir)
	for _, steps := range []int{4, 2} {
		c.Train.Steps = steps
		o := options(b, c, dir)
		o.Versions["backend"] = "another"
		o.Report = func(l runs.Line) { t.Errorf("a step was made: %+v", l) }
		if p, err := Train(context.Background(), o); err != nil || p.Step != 4 {
			t.Errorf("%d steps: ended at step %d, error %v, want 4", steps, p.Step, err)
		}
		if after := snapshotFolder(t, dir); !slices.Equal(before, after) {
			t.Errorf("%d steps: the folder has changed: %q, was %q", steps, after, before)
		}
	}
}

// A run that goes on is written down, and that it goes on elsewhere is said.
func TestEachStartIsWrittenDown(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.ValidateEvery = 0
	dir := t.TempDir()
	for i, start := range []struct{ backend, kernels, warned string }{
		{"go", "", ""}, {"go", "", ""}, {"xla-cpu", "AVX2", "this run was trained on go, and goes on on xla-cpu: its numbers are rounded in another way"},
		{"xla-cpu", "AVX2", ""}, {"xla-cpu", "none", `this run was trained with kernels \"AVX2\", and goes on with \"none\": its numbers are rounded in another way`},
	} {
		var log bytes.Buffer
		c.Train.Steps = i + 1
		o := options(b, c, dir)
		o.Versions["backend"], o.Versions["kernels"], o.Log = start.backend, start.kernels, slog.New(slog.NewTextHandler(&log, nil))
		mustTrain(t, o)
		if !strings.Contains(log.String(), start.warned) || strings.Contains(log.String(), "WARN") != (start.warned != "") {
			t.Errorf("start %d says %q, want %q", i, &log, start.warned)
		}
		if got := string(readFile(t, filepath.Join(dir, runs.CommandsFile))); got != strings.Repeat("mcvd train\n", i+1) {
			t.Errorf("start %d: commands %q, want a line for each start", i, got)
		}
		if run, err := OpenRun(dir); err != nil || run.versions()["backend"] != start.backend || run.Config.Train.Steps != i+1 {
			t.Errorf("start %d: %+v on %s, error %v", i, run.Config.Train, run.versions(), err)
		}
	}
}

func TestASecondProcessInTheFolderIsRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 2, 0
	dir := t.TempDir()
	_, unlock, err := start(dir, c, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), options(b, c, dir)); err == nil || !strings.Contains(err.Error(), "another process is training in this run folder") {
		t.Errorf("error %v, want one about the other process", err)
	}
	unlock()
	mustTrain(t, options(b, c, dir))
}

func TestOpenRunSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{dir: "not a run folder: it has no config.yml", filepath.Join(dir, "none"): "no such run folder"} {
		if _, err := OpenRun(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want it to say %q", path, err, want)
		}
	}
}

// A setting that was edited in the folder's config.yml since the newest checkpoint is shown and
// refused, and nothing is touched. Restored, the run ends as one that was never stopped. How long,
// on what and from where it trains may change, and is said.
func TestSettingsThatWereEditedAreRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Data.Name, c.Data.Path, c.Data.Options = "folder", "here", nil // digits have no path
	if err := experiment.Resolve(c); err != nil {
		t.Fatal(err)
	}
	undisturbed, dir := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, undisturbed))
	ctx, o := stopAt(options(b, c, dir), 6)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	edit := func(c *configs.Config) {
		if err := os.WriteFile(filepath.Join(dir, runs.ConfigFile), c.YAML(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edited := *c
	edited.Optimizer.LearningRate, edited.Seed, edited.Train.Keep = 0.5, 8, 3
	edit(&edited)
	before := snapshotFolder(t, dir)
	_, err := Train(context.Background(), options(b, &edited, dir))
	for _, want := range []string{filepath.Join(dir, runs.ConfigFile) + ": other settings than those that step-00000006.safetensors was trained with; restore",
		"optimizer.learning_rate: 0.0002 -> 0.5", "seed: 7 -> 8"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "train.keep: ") {
		t.Errorf("error %v shows what may change", err)
	}
	if after := snapshotFolder(t, dir); !slices.Equal(after, before) {
		t.Error("refused, but the folder has changed")
	}
	moved := *c
	moved.Data.Path, moved.Train.Keep = "elsewhere", 9
	edit(&moved)
	var log bytes.Buffer
	o = options(b, &moved, dir)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	ctx, o = stopAt(o, 7)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Errorf("other files: error %v, want %v", err, ErrStopped)
	}
	if !strings.Contains(log.String(), `going on with changed settings: data.path: \"here\" -> \"elsewhere\", train.keep: 2 -> 9`) {
		t.Errorf("logged %s", &log)
	}
	edit(c)
	mustTrain(t, options(b, c, dir))
	sameRuns(t, dir, undisturbed, c)
}

// A run folder from before settings moved into options goes on: it holds the same experiment in
// another spelling.
func TestARunFolderInTheOldSpellingGoesOn(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 4, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	path := filepath.Join(dir, runs.ConfigFile)
	text := string(c.YAML())
	at := strings.Index(text, "\nmodel:")
	old := text[:at] + regexp.MustCompile(`(?m)^  options:\n((?:    .*\n)+)`).ReplaceAllStringFunc(text[at:], func(section string) string {
		return strings.ReplaceAll(strings.TrimPrefix(section, "  options:\n"), "    ", "  ")
	})
	old = strings.ReplaceAll(old, "published_", "reference_")
	old = regexp.MustCompile(`(?m)^  (shift|zero_terminal|self_conditioning|level_per_frame|frame_times|past_noise|frame_levels|variance|teacher): .*\n`).ReplaceAllString(old, "") // which are younger
	old = strings.Replace(old, "  times:\n    kind: consecutive\n    span: 0\n", "", 1)
	if strings.Contains(old, "times") || !strings.Contains(old, "\n  width: 4\n") || !strings.Contains(old, "\n  beta_end: 0.2\n") || !strings.Contains(old, "\n  eta: 0.0\n") {
		t.Fatalf("not in the old spelling:\n%s", old)
	}
	if err := os.WriteFile(path, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	c.Train.Steps = 6
	mustTrain(t, options(b, c, dir))
	run, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := configs.Diff(run.Config, c); len(diff) > 0 {
		t.Errorf("the configuration differs by %q", diff)
	}
}

// unlockable is a lock of a file system on which every call fails.
type unlockable struct{ err error }

func (u unlockable) TryLockContext(context.Context, time.Duration) (bool, error) { return false, u.err }
func (u unlockable) Unlock() error                                               { return u.err }

// On a file system without locks, as some clusters have, a run is trained without one. Any other failure
// of a lock is an error.
func TestAFileSystemWithoutLocks(t *testing.T) {
	for _, failure := range []syscall.Errno{syscall.ENOTSUP, syscall.ENOSYS, syscall.EIO} {
		claimed, err := claim(t.TempDir(), func(path string) locker {
			return unlockable{&os.PathError{Op: "flock", Path: path, Err: failure}}
		})
		if failure == syscall.EIO {
			if !errors.Is(err, failure) || !strings.Contains(err.Error(), "locking the run folder") {
				t.Errorf("%v: error %v", failure, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: error %v, want that training goes on without a lock", failure, err)
			continue
		}
		if err := claimed.check(); err != nil {
			t.Errorf("%v: %v", failure, err)
		}
		claimed.unlock()
		if err := os.Remove(claimed.path); err != nil {
			t.Fatal(err)
		}
		if err := claimed.check(); !errors.Is(err, errReplaced) {
			t.Errorf("%v: error %v, want that the folder was replaced", failure, err)
		}
	}
}
