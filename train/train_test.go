package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/data/video"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// Stops and crashes of every kind: the run that goes on afterwards ends with the bytes, and the log, of one that was never
// stopped. Dropout is above 0 and gradients are accumulated.
func TestResumedRunsEndAsOnesThatWereNeverStopped(t *testing.T) {
	// Most of it is about the loop and its files, of which backends know nothing: those runs are on Go, which compiles in no time.
	b, files, c := backendtest.Open(t), backendtest.OpenGo(t), toy()
	undisturbed := map[compute.Backend]string{}
	for _, backend := range []compute.Backend{b, files} {
		undisturbed[backend] = t.TempDir()
		mustTrain(t, options(backend, c, undisturbed[backend]))
	}
	edit := func(t *testing.T, path string, change func(content []byte) []byte) {
		if err := os.WriteFile(path, change(readFile(t, path)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, crash := range []struct {
		name   string
		stops  []int                          // steps after which the run is stopped
		damage func(t *testing.T, dir string) // done to the folder after the last stop
		warned string                         // what the log of the process says
		graphs bool                           // run on the backend that tests run on
	}{
		{name: "a stop before the first step", stops: []int{0}},
		{name: "a stop between two checkpoints", stops: []int{5}, graphs: true},
		{name: "a stop at a checkpoint", stops: []int{8}},
		{name: "a stop after each of the first steps", stops: []int{1, 2, 3}},
		{name: "a stop at a validation", stops: []int{6}, graphs: true},
		{name: "a kill in the middle of writing a checkpoint", stops: []int{5}, damage: func(t *testing.T, dir string) {
			half := readFile(t, newest(t, dir))
			for _, name := range []string{"1.safetensors", "2.safetensors"} {
				if err := os.WriteFile(filepath.Join(dir, checkpointsDir, atomicfile.Prefix+name), half[:len(half)/2], 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{name: "a newest checkpoint that is cut off", stops: []int{9}, warned: "checkpoint is broken", damage: func(t *testing.T, dir string) {
			edit(t, newest(t, dir), func(c []byte) []byte { return c[:2*len(c)/3] })
		}},
		{name: "a newest checkpoint with one wrong bit", stops: []int{9}, warned: "the file is damaged", damage: func(t *testing.T, dir string) {
			edit(t, newest(t, dir), func(c []byte) []byte { c[len(c)-100] ^= 1; return c })
		}},
		{name: "a newest checkpoint that is lost", stops: []int{9}, damage: func(t *testing.T, dir string) {
			if err := os.Remove(newest(t, dir)); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "all checkpoints lost", stops: []int{3}, damage: func(t *testing.T, dir string) {
			for _, name := range checkpoints(t, dir) {
				if err := os.Remove(filepath.Join(dir, checkpointsDir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{name: "a log that is ahead of the checkpoint and ends in a torn line", stops: []int{6}, damage: func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, logFile), func(log []byte) []byte {
				return append(log, "{\"step\":8,\"loss\":0.125}\n{\"step\":9,\"loss\":3,\"validation\":[1]}\n{\"step\":10,\"lo"...)
			})
		}},
		{name: "a log whose last line is torn", stops: []int{6}, damage: func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, logFile), func(log []byte) []byte { return append(log, "{\"st"...) })
		}},
	} {
		t.Run(crash.name, func(t *testing.T) {
			b, dir := b, t.TempDir()
			if !crash.graphs {
				b = files
			}
			for _, stop := range crash.stops {
				ctx, o := stopAt(options(b, c, dir), stop)
				p, err := Train(ctx, o)
				if !errors.Is(err, ErrStopped) || p.Step != stop {
					t.Fatalf("stopped at step %d with error %v, want %d and ErrStopped", p.Step, err, stop)
				}
				if want := fmt.Sprintf("step %d of %d", stop, c.Train.Steps); !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want it to say %q", err, want)
				}
			}
			if crash.damage != nil {
				crash.damage(t, dir)
			}
			var log bytes.Buffer
			o := options(b, c, dir)
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			mustTrain(t, o)
			sameRuns(t, dir, undisturbed[b], c)
			if !strings.Contains(log.String(), crash.warned) || crash.warned == "" && strings.Contains(log.String(), "WARN") {
				t.Errorf("the process logged %q, want %q", log.String(), crash.warned)
			}
			for _, name := range checkpoints(t, dir) {
				if strings.HasPrefix(name, atomicfile.Prefix) {
					t.Errorf("%s was left", name)
				}
			}
		})
	}
}

func TestBrokenCheckpointsWithoutAnyGoodOneAreAnError(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 1, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	for _, path := range (&Run{Dir: dir, Config: c}).Checkpoints() {
		if err := os.Truncate(path, 50); err != nil {
			t.Fatal(err)
		}
	}
	c.Train.Steps = 2
	if _, err := Train(context.Background(), options(b, c, dir)); err == nil || !strings.Contains(err.Error(), "every checkpoint is broken; remove them to start anew") {
		t.Errorf("error %v, want one that says what to do", err)
	}
}

// A folder's name may look like a pattern of file names.
func TestAFolderOfAnyNameIsResumed(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery, c.Train.Accumulate, c.Train.CheckpointEvery, c.Train.Keep = 3, 0, 1, 1, 1
	dir := filepath.Join(t.TempDir(), "lr[2e-4] *?")
	ctx, o := stopAt(options(b, c, dir), 2)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	left := filepath.Join(dir, checkpointsDir, atomicfile.Prefix+"1")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o = options(b, c, dir)
	var steps []int
	o.Report = func(l Line) { steps = append(steps, l.Step) }
	mustTrain(t, o)
	if !slices.Equal(steps, []int{3}) {
		t.Errorf("steps %v after a stop at step 2, want 3", steps)
	}
	if got := checkpoints(t, dir); !slices.Equal(got, []string{stepName(c.Train.Steps)}) {
		t.Errorf("checkpoints %v, want the last", got)
	}
}

func TestCheckpointsAreListedFromTheNewest(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, checkpointsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"step-00000009", "step-00000010", "step-99999999", "step-100000000", "best", "step-00000001.old"} {
		if err := os.WriteFile(filepath.Join(dir, checkpointsDir, name+".safetensors"), nil, 0o600); err != nil {
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
		"step-00000099.safetensors":      "no such file",
		"../log.jsonl":                   "safetensors",
		filepath.Join(dir, versionsFile): "safetensors",
	} {
		if _, _, err := run.OpenCheckpoint(name, slog.Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want it to say %q", name, err, want)
		}
	}
	if _, _, err := (&Run{Dir: t.TempDir(), Config: c}).OpenCheckpoint("", slog.Default()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a run without checkpoints: error %v, want os.ErrNotExist", err)
	}
}

func TestAnotherExperimentInTheFolderIsRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 4, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	before := snapshotFolder(t, dir)
	other := *c
	other.Model.Width, other.Train.Steps = 8, 2
	_, err := Train(context.Background(), options(b, &other, dir))
	for _, want := range []string{dir, "another experiment", "model.width: 4 -> 8"} {
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

// Weights that fit by their shapes but were learned for something else are no use, and a folder that isn't a run gets no files.
func TestForeignWeightsAndFoldersAreRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 2, 0
	other := *c
	other.Diffusion.Schedule = "cosine"
	dir, otherDir := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, dir))
	mustTrain(t, options(b, &other, otherDir))
	foreign, stray := filepath.Join(otherDir, checkpointsDir, stepName(2)), filepath.Join(dir, checkpointsDir, stepName(3))
	if err := os.WriteFile(stray, readFile(t, foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", foreign, filepath.Base(stray)} {
		_, _, err := (&Run{dir, c}).OpenCheckpoint(name, slog.Default())
		if err == nil || !strings.Contains(err.Error(), "another experiment") || !strings.Contains(err.Error(), `diffusion.schedule: "cosine" -> "linear"`) {
			t.Errorf("%q: error %v, want one about diffusion.schedule", name, err)
		}
	}
	if _, err := Train(context.Background(), options(b, c, dir)); err == nil || !strings.Contains(err.Error(), "another experiment") {
		t.Errorf("resuming: error %v, want one about another experiment", err)
	}
	same := *c
	same.Seed, same.Data.Path, same.Train.Steps = 8, "elsewhere", 9
	f, _, err := (&Run{dir, &same}).OpenCheckpoint(stepName(2), slog.Default())
	if err != nil {
		t.Fatalf("other data: error %v, want none", err)
	}
	f.Close()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, configFile), []byte("port: 80\n"), 0o644); err != nil {
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

func TestAFinishedRunIsLeftAsItIs(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 4, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	checkpoint, log := readFile(t, filepath.Join(dir, checkpointsDir, stepName(c.Train.Steps))), readFile(t, filepath.Join(dir, logFile))
	o := options(b, c, dir)
	o.Report = func(l Line) { t.Errorf("a step was made: %+v", l) }
	mustTrain(t, o)
	if !bytes.Equal(readFile(t, filepath.Join(dir, checkpointsDir, stepName(c.Train.Steps))), checkpoint) || !bytes.Equal(readFile(t, filepath.Join(dir, logFile)), log) {
		t.Error("the checkpoint or the log has changed")
	}
	if got := string(readFile(t, filepath.Join(dir, commandsFile))); got != "mcvd train\nmcvd train\n" {
		t.Errorf("commands %q, want a line for each start", got)
	}
}

func TestASecondProcessInTheFolderIsRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 2, 0
	dir := t.TempDir()
	_, unlock, err := start(dir, c, nil, nil)
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

// poisoned is a model that draws a NaN in the steps whose random state begins with one of the words.
type poisoned struct {
	*models.Model
	words []uint64
}

func (m poisoned) Draw(random *Node, batch int) (*Node, models.Draws) {
	first := Slice(random, AxisElem(0))
	next, d := m.Model.Draw(random, batch)
	for _, w := range m.words {
		hit := Reshape(Equal(first, Const(random.Graph(), []uint64{w})), 1, 1, 1, 1, 1)
		shape := d.Noise.Shape().Dimensions
		d.Noise = Where(BroadcastToDims(hit, shape...), MulScalar(OnesLike(d.Noise), math.NaN()), d.Noise)
	}
	return next, d
}

// trainPoisoned trains with a NaN in the given steps (counted from 1).
func trainPoisoned(ctx context.Context, t *testing.T, o Options, steps ...int) (Progress, error) {
	t.Helper()
	m, err := models.New(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	bad := poisoned{Model: m}
	for _, step := range steps {
		bad.words = append(bad.words, tensors.MustCopyFlatData[uint64](randomState(o.Config.Seed, trainingStream, uint64(step-1), 0))[0])
	}
	return train(ctx, o, m, bad)
}

func TestStepsThatAreNotFiniteAreSkippedAndLogged(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	undisturbed, dir := t.TempDir(), t.TempDir()
	var log bytes.Buffer
	o := options(b, c, undisturbed)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	p, err := trainPoisoned(context.Background(), t, o, 4, 6, 7)
	if err != nil {
		t.Fatal(err)
	}
	if p.Step != 12 || p.Updates != 9 || p.SkippedInARow != 0 {
		t.Errorf("progress %+v, want 12 steps and 9 updates", p)
	}
	if n := strings.Count(log.String(), "step skipped: not finite"); n != 3 {
		t.Errorf("%d skipped steps in %q, want 3", n, log.String())
	}
	skipped := map[int]int{}
	for _, line := range lines(t, undisturbed) {
		if line.Validation == nil {
			skipped[line.Step] = line.Skipped
		}
	}
	if want := map[int]int{4: 1, 8: 2, 10: 0, 12: 0}; fmt.Sprint(skipped) != fmt.Sprint(want) {
		t.Errorf("skipped steps by line: %v, want %v", skipped, want)
	}
	// A stop within the skipped steps, whose checkpoint remembers them.
	ctx, stopped := stopAt(options(b, c, dir), 6)
	if p, err := trainPoisoned(ctx, t, stopped, 4, 6, 7); !errors.Is(err, ErrStopped) || p.SkippedInARow != 1 {
		t.Fatalf("progress %+v, error %v", p, err)
	}
	if _, err := trainPoisoned(context.Background(), t, options(b, c, dir), 4, 6, 7); err != nil {
		t.Fatal(err)
	}
	sameRuns(t, dir, undisturbed, c)
}

func TestTenStepsInARowThatAreNotFiniteEndTraining(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery = 40, 1, 0
	dir := t.TempDir()
	var good []byte
	o := options(b, c, dir)
	o.Report = func(l Line) {
		if l.Step == 5 {
			good = readFile(t, newest(t, dir)) // that of step 4
		}
	}
	bad := []int{3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	for range 2 { // the second process starts from step 4 again
		p, err := trainPoisoned(context.Background(), t, o, bad...)
		if err == nil || p.Step != 14 || p.Updates != 3 || p.SkippedInARow != 10 {
			t.Fatalf("progress %+v, error %v, want an error at step 14 after 3 updates", p, err)
		}
		for _, want := range []string{"step 14", "10 steps in a row", "the newest is of step 4", "learning_rate"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q, want it to say %q", err, want)
			}
		}
		if path := newest(t, dir); filepath.Base(path) != "step-00000004.safetensors" || !bytes.Equal(readFile(t, path), good) {
			t.Errorf("the newest checkpoint is %s, want that of step 4 as it was", path)
		}
	}
}

func TestALearningRateThatIsFarTooHighEndsInTheError(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Optimizer.LearningRate, c.Optimizer.WarmupSteps, c.Train.Steps = 1e30, 0, 50
	c.Train.ValidateEvery = 0
	if _, err := Train(context.Background(), options(b, c, t.TempDir())); err == nil || !strings.Contains(err.Error(), "try a lower optimizer.learning_rate") {
		t.Errorf("error %v, want one about the learning rate", err)
	}
}

// broken is a data set that has a video that can't be read.
type broken struct{ waves }

func (b broken) Clip(i int, rng *rand.Rand, frames int) (video.Clip, error) {
	if i == 3 {
		return video.Clip{}, errors.New("bits are gone")
	}
	return b.waves.Clip(i, rng, frames)
}

func (broken) Name(i int) string { return fmt.Sprintf("clip%d.mp4", i) }

func TestAVideoThatCannotBeReadIsNamedWithTheStep(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.ValidateEvery = 0
	o := options(b, c, t.TempDir())
	o.Train = broken{waves{8, 9}}
	_, err := Train(context.Background(), o)
	for _, want := range []string{"step ", "clip3.mp4", "bits are gone"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
}

func TestSamplesAreDrawnWhenDue(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.SampleEvery, c.Train.ValidateEvery = 5, 0
	dir := t.TempDir()
	o := options(b, c, dir)
	var paths []string
	o.Sample = func(_ context.Context, store *model.Store, path string) error {
		if len(values(t, store, "/ema/in/w")) == 0 {
			t.Error("no averaged weights")
		}
		paths = append(paths, path)
		return nil
	}
	mustTrain(t, o)
	if want := []string{filepath.Join(dir, "samples/step-00000005.png"), filepath.Join(dir, "samples/step-00000010.png")}; !slices.Equal(paths, want) {
		t.Errorf("samples %v, want %v", paths, want)
	}
	o = options(b, c, t.TempDir())
	o.Sample = func(context.Context, *model.Store, string) error { return errors.New("no paper") }
	if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), "samples of step 5: no paper") {
		t.Errorf("error %v, want that of the samples", err)
	}
}
