package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
	"mcvd/models/weights"
	"mcvd/train/ranks"
	"mcvd/train/runs"
)

// together trains with several ranks, each in a goroutine, and returns the error of each. of may change the
// options of a rank.
func together(t *testing.T, b compute.Backend, c *configs.Config, dir string, n int, of func(rank int, ctx context.Context, o Options) (context.Context, Options)) []error {
	t.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for k, r := range ranks.Local(n) {
		all.Go(func() {
			own := *c
			o := options(b, &own, dir)
			if k > 0 {
				o.Dir = filepath.Join(dir, "is", "nowhere") // which other hosts may not see
			}
			o.Ranks = r
			ctx := context.Background()
			if of != nil {
				ctx, o = of(k, ctx, o)
			}
			_, errs[k] = Train(ctx, o)
			r.Leave(errs[k], 1)
		})
	}
	all.Wait()
	return errs
}

// twenty is a toy of 20 steps with a batch that 4 ranks can share.
func twenty() *configs.Config {
	c := toy()
	c.Train.Steps, c.Train.ValidateEvery, c.Train.CheckpointEvery = 20, 10, 5
	return c
}

// Ranks make the steps of one process, whatever their number: the noise, masks and dropout of each clip are
// the same, and so, but for rounding, are losses and weights.
func TestRanksTrainAsOneProcess(t *testing.T) {
	b := backendtest.Open(t)
	c := twenty()
	one := t.TempDir()
	mustTrain(t, options(b, c, one))
	want := lines(t, one)
	for _, n := range []int{2, 4} {
		dir := t.TempDir()
		if err := errors.Join(together(t, b, c, dir, n, nil)...); err != nil {
			t.Fatalf("%d ranks: %v", n, err)
		}
		got := lines(t, dir)
		if len(got) != len(want) {
			t.Fatalf("%d ranks: %d lines, want %d", n, len(got), len(want))
		}
		for i := range want {
			for what, pair := range map[string][2]runs.Number{"loss": {got[i].Loss, want[i].Loss}, "x0": {got[i].X0, want[i].X0}, "norm": {got[i].GradientNorm, want[i].GradientNorm}} {
				if d := math.Abs(float64(pair[0]-pair[1])) / (1 + math.Abs(float64(pair[1]))); !(d <= 1e-6) {
					t.Errorf("%d ranks, step %d: %s is %v, want %v", n, want[i].Step, what, pair[0], pair[1])
				}
			}
		}
		for _, l := range got {
			if l.ClipsPerSecond > 0 && !(l.Exchanging > 0 && l.Lagging > 0 && l.Exchanging+l.Lagging < 1) {
				t.Errorf("%d ranks, step %d: shares %v of adding up and %v of waiting for ranks", n, l.Step, l.Exchanging, l.Lagging)
			}
		}
		if d := between(t, dir, one, c.Train.Steps); !(d <= 1e-5) {
			t.Errorf("%d ranks: weights are %g apart from those of one process", n, d)
		}
		again := t.TempDir()
		if err := errors.Join(together(t, b, c, again, n, nil)...); err != nil {
			t.Fatal(err)
		}
		sameRuns(t, again, dir, c)
	}
}

// The log's share is of what all ranks reach together.
func TestThePeakOfRanks(t *testing.T) {
	b, c, dir := backendtest.Open(t), twenty(), t.TempDir()
	if err := errors.Join(together(t, b, c, dir, 2, func(k int, ctx context.Context, o Options) (context.Context, Options) {
		o.Peak = func(context.Context) float64 { return 1e9 * float64(1+k) }
		return ctx, o
	})...); err != nil {
		t.Fatal(err)
	}
	shares := 0
	for _, l := range lines(t, dir) {
		if l.FLOPs == 0 {
			continue
		}
		if shares++; !(math.Abs(float64(l.PeakShare)*3e9/float64(l.FLOPs)-1) <= 1e-9) {
			t.Errorf("step %d: a share of %v of %v FLOP/s, want of 3e9", l.Step, l.PeakShare, l.FLOPs)
		}
	}
	if shares == 0 {
		t.Error("no line has a share")
	}
}

// So do ranks with several devices each: XLA adds up what devices have, and ranks what each of them has.
func TestRanksWithSeveralDevices(t *testing.T) {
	b := backendtest.Open(t)
	if b.NumDevices() < 2 {
		t.Skip("this backend has one device; MCVD_TEST_BACKEND=xla-cpu has several")
	}
	c := twenty()
	one, dir := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, one))
	several := *c
	several.Train.Devices = 2
	if err := errors.Join(together(t, b, &several, dir, 2, nil)...); err != nil {
		t.Fatal(err)
	}
	if d := between(t, dir, one, c.Train.Steps); !(d <= 1e-5) {
		t.Errorf("weights are %g apart from those of one process with one device", d)
	}
}

// between is the largest difference between tensors of two checkpoints.
func between(t *testing.T, a, b string, step int) (most float64) {
	t.Helper()
	one, other := opened(t, a, step), opened(t, b, step)
	for _, tensor := range one.Tensors() {
		x, errX := one.Float32s(tensor.Name)
		y, errY := other.Float32s(tensor.Name)
		if errX != nil || errY != nil || len(x) != len(y) {
			t.Fatal(tensor.Name, errX, errY)
		}
		for i := range x {
			if d := math.Abs(float64(x[i] - y[i])); !(d <= most) {
				most = d
			}
		}
	}
	return most
}

// A run that is stopped in any rank goes on with any number of them.
func TestRunsGoOnWithAnotherNumberOfRanks(t *testing.T) {
	b := backendtest.Open(t)
	c := dense()
	c.Train.Steps, c.Train.ValidateEvery, c.Train.CheckpointEvery = 20, 10, 5
	one, dir := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, one))
	stop := func(step, rank int) func(int, context.Context, Options) (context.Context, Options) {
		return func(k int, ctx context.Context, o Options) (context.Context, Options) {
			if k != rank {
				return ctx, o
			}
			return stopAt(o, step)
		}
	}
	for i, n := range []int{2, 4, 1} {
		step := 5*i + 3
		for k, err := range together(t, b, c, dir, n, stop(step, n-1)) {
			if !errors.Is(err, ErrStopped) {
				t.Fatalf("rank %d of %d: %v, want that it was stopped", k, n, err)
			}
		}
	}
	mustTrain(t, options(b, c, dir))
	if d := between(t, dir, one, c.Train.Steps); !(d <= 1e-5) {
		t.Errorf("weights are %g apart from those of one process", d)
	}
}

// gone is a data set that can't be read from some read on.
type gone struct {
	waves
	left *int
}

func (d gone) Clip(i, start, frames int) (clips.Clip, error) {
	if *d.left--; *d.left < 0 {
		return clips.Clip{}, errors.New("the disk is gone")
	}
	return d.waves.Clip(i, start, frames)
}

// What one rank fails at ends all of them, with its words, and with a checkpoint of the last step.
func TestTheFailureOfARankEndsAll(t *testing.T) {
	b := backendtest.Open(t)
	c := dense()
	c.Train.CheckpointEvery, c.Train.ValidateEvery, c.Data.OnError = 100, 0, "fail"
	dir := t.TempDir()
	left := 4 + 4*4
	errs := together(t, b, c, dir, 2, func(k int, ctx context.Context, o Options) (context.Context, Options) {
		if k == 1 {
			o.Train = gone{waves{c.Data.Size, 9}, &left}
		}
		return ctx, o
	})
	for k, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
			t.Errorf("rank %d: %v, want why rank 1 failed", k, err)
		}
	}
	run, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Checkpoints()) == 0 {
		t.Error("no checkpoint was written")
	}
}

// Ranks that differ in what they train are refused before anything is written.
func TestRanksThatDifferAreRefused(t *testing.T) {
	b := backendtest.Open(t)
	for want, change := range map[string]func(o *Options){
		"other settings (learning_rate: 0.5)": func(o *Options) { o.Config.Optimizer.LearningRate = 0.5 },
		"other data (train: ":                 func(o *Options) { o.Train = waves{8, 5} },
		"another program (mcvd: other":        func(o *Options) { o.Versions = map[string]string{"mcvd": "other"} },
	} {
		dir := filepath.Join(t.TempDir(), "run")
		errs := together(t, b, dense(), dir, 2, func(k int, ctx context.Context, o Options) (context.Context, Options) {
			if k == 1 {
				change(&o)
			}
			return ctx, o
		})
		for k, err := range errs {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("rank %d: %v, want %q", k, err, want)
			}
		}
		if _, err := OpenRun(dir); err == nil {
			t.Errorf("%s: a run folder was made", want)
		}
	}
	c := dense()
	c.Train.Batch = 5
	for k, err := range together(t, b, c, t.TempDir(), 2, nil) {
		if err == nil || !strings.Contains(err.Error(), "train.batch: 5, want a multiple of the 2 ranks") {
			t.Errorf("rank %d: %v", k, err)
		}
	}
}

// Ranks share devices if they are on one host and are shown one of the same, by whatever name.
func TestRanksThatShareDevices(t *testing.T) {
	one, both := []string{"GPU-1"}, []string{"GPU-1", "GPU-2"}
	for _, c := range []struct {
		a, b standing
		want bool
	}{
		{standing{Host: "a", Visible: "0", Present: both}, standing{Host: "a", Visible: "0", Present: both}, true},
		{standing{Host: "a", Present: both}, standing{Host: "a", Visible: "1", Present: both}, true},
		{standing{Host: "a", Visible: "0,1", Present: both}, standing{Host: "a", Visible: "GPU-2", Present: both}, true},
		{standing{Host: "a", Visible: "0", Present: one}, standing{Host: "a", Visible: "0", Present: both}, true},
		{standing{Host: "a", Visible: "0", Present: both}, standing{Host: "b", Visible: "0", Present: both}, false},
		{standing{Host: "a", Visible: "0", Present: both}, standing{Host: "a", Visible: "1", Present: both}, false},
		{standing{Host: "a", Visible: "0", Present: one}, standing{Host: "a", Visible: "0", Present: []string{"GPU-2"}}, false}, // by cgroups
		{standing{Host: "a", Visible: "MIG-1", Present: one}, standing{Host: "a", Visible: "MIG-2", Present: one}, false},
		{standing{Host: "a", Visible: "MIG-1", Present: one}, standing{Host: "a", Visible: "MIG-1", Present: one}, true},
		{standing{Host: "a", Visible: "0"}, standing{Host: "a", Visible: "0"}, true}, // without nvidia-smi
		{standing{Host: "a", Visible: "0"}, standing{Host: "a", Visible: "1"}, false},
	} {
		if got := c.a.sharesDevices(c.b); got != c.want {
			t.Errorf("%+v and %+v: %v, want %v", c.a, c.b, got, c.want)
		}
		if got := c.b.sharesDevices(c.a); got != c.want {
			t.Errorf("%+v and %+v: %v, want %v", c.b, c.a, got, c.want)
		}
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if got := presentDevices(); got != nil {
		t.Errorf("without nvidia-smi: %v", got)
	}
	script := "#!/bin/sh\n[ \"$*\" = '--query-gpu=uuid --format=csv,noheader' ] && printf 'GPU-1\\nGPU-2\\n'\n"
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := presentDevices(); !slices.Equal(got, []string{"GPU-1", "GPU-2"}) {
		t.Errorf("got %v, want what nvidia-smi lists", got)
	}
}

func opened(t *testing.T, dir string, step int) *weights.File {
	t.Helper()
	f, err := weights.Open(filepath.Join(dir, runs.CheckpointsDir, runs.CheckpointName(step)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Weights that are not finite at the last step end all ranks with the same words, and a rollback that
// helps nothing ends them, too.
func TestADivergenceOfTheLastStepEndsAllRanks(t *testing.T) {
	b := backendtest.Open(t)
	for _, then := range []string{"stop", "rollback"} {
		c := dense()
		c.Train.Steps, c.Train.ValidateEvery, c.Train.OnDivergence = 1, 0, then
		c.Optimizer.LearningRate, c.Optimizer.WarmupSteps = 1e39, 0
		for k, err := range together(t, b, c, t.TempDir(), 2, nil) {
			if err == nil || !strings.Contains(err.Error(), "values are not finite") {
				t.Errorf("%s: rank %d: %v, want what is not finite", then, k, err)
			}
		}
	}
}

// Ranks accumulate batches, draw levels by losses, and send bfloat16, as one process does.
func TestRanksDoWhatOneProcessDoes(t *testing.T) {
	b := backendtest.Open(t)
	for what, change := range map[string]func(c *configs.Config){
		"accumulate": func(c *configs.Config) { c.Train.Accumulate = 3 },
		"by_loss":    func(c *configs.Config) { c.Diffusion.Levels = "by_loss" },
		"bfloat16":   func(c *configs.Config) { c.Train.Ranks.Options = configs.Options{"precision": "bfloat16"} },
		"library":    func(c *configs.Config) { c.Train.Ranks.Options = configs.Options{"sum": "library"} },
	} {
		c := dense()
		change(c)
		if err := experiment.Resolve(c); err != nil {
			t.Fatal(err)
		}
		one, two := t.TempDir(), t.TempDir()
		mustTrain(t, options(b, c, one))
		if err := errors.Join(together(t, b, c, two, 2, nil)...); err != nil {
			t.Fatal(what, err)
		}
		within := 1e-5
		if what == "bfloat16" {
			within = 2e-2 // Adam divides gradients by their size
		}
		if d := between(t, two, one, c.Train.Steps); !(d <= within) {
			t.Errorf("%s: weights are %g apart from those of one process, want %g at most", what, d, within)
		}
	}
}
