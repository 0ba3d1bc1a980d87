package train

import (
	"bytes"
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

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/nn"
	"mcvd/train/runs"
)

// Stops and crashes of every kind: the run that goes on afterwards ends with the bytes, and the
// log, of one that was never stopped. Dropout is above 0 and gradients are accumulated.
func TestResumedRunsEndAsOnesThatWereNeverStopped(t *testing.T) {
	// Most of it is about the loop and its files, of which backends know nothing: those runs are on
	// Go, which compiles in no time.
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
				if err := os.WriteFile(filepath.Join(dir, runs.CheckpointsDir, atomicfile.Prefix+name), half[:len(half)/2], 0o600); err != nil {
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
				if err := os.Remove(filepath.Join(dir, runs.CheckpointsDir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{name: "a log that is ahead of the checkpoint and ends in a torn line", stops: []int{6}, damage: func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, runs.LogFile), func(log []byte) []byte {
				return append(log, "{\"step\":8,\"loss\":0.125}\n{\"step\":9,\"loss\":3,\"validation\":[1]}\n{\"step\":10,\"lo"...)
			})
		}},
		{name: "a log whose last line is torn", stops: []int{6}, damage: func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, runs.LogFile), func(log []byte) []byte { return append(log, "{\"st"...) })
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

// poisoned is a model that draws a NaN in the steps whose random state begins with one of the
// words.
type poisoned struct {
	*models.Model
	words []uint64
}

func (m poisoned) Draw(random nn.Random, levels *Node) (nn.Random, models.Draws) {
	first := Slice(random.State, AxisElem(0))
	next, d := m.Model.Draw(random, levels)
	for _, w := range m.words {
		hit := Reshape(Equal(first, Const(levels.Graph(), []uint64{w})), 1, 1, 1, 1, 1)
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
	o.Report = func(l runs.Line) {
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
		for _, want := range []string{"step 14", "10 steps in a row", "the newest good one is of step 4", "learning_rate"} {
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

func (b broken) Clip(i, start, frames int) (clips.Clip, error) {
	if i == 3 {
		return clips.Clip{}, errors.New("bits are gone")
	}
	return b.waves.Clip(i, start, frames)
}

func (broken) Name(i int) string { return fmt.Sprintf("clip%d.mp4", i) }

func TestAVideoThatCannotBeReadIsNamedWithTheStep(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.ValidateEvery = 0
	c.Data.Name, c.Data.Path, c.Data.OnError, c.Data.Options = "store", "clips", "fail", nil
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

// A process that was killed may have drawn samples of steps that come again; what they show is not
// the run's.
func TestSamplesOfStepsThatComeAgainAreRemoved(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.ValidateEvery = 0
	ctx, o := stopAt(options(b, c, t.TempDir()), 5)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	dir := filepath.Join(o.Dir, runs.SamplesDir)
	var kept []string
	for _, name := range []string{"step-00000005.png", "step-00000005.gif", "step-00000006.png", "step-00000006.gif", "step-7.png", "of-mine.png"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mustTrain(t, options(b, c, o.Dir))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		kept = append(kept, e.Name())
	}
	if want := []string{"of-mine.png", "step-00000005.gif", "step-00000005.png", "step-7.png"}; !slices.Equal(kept, want) {
		t.Errorf("samples %v, want %v", kept, want)
	}
}
