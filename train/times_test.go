package train

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/nn"
)

// timed is an experiment whose clips have times that are drawn.
func timed(t *testing.T, c *configs.Config, kind string) *configs.Config {
	t.Helper()
	c.Model.Options["frame_times"] = true
	c.Frames.Times = configs.Times{Kind: kind, Span: 7}
	if err := experiment.Resolve(c); err != nil {
		t.Fatal(err)
	}
	return c
}

// A run with drawn times that is stopped ends with the bytes of one that isn't. The times reach the
// loss: with times of another span, and otherwise the same clips, weights become others.
func TestRunsWithDrawnTimesResume(t *testing.T) {
	b := backendtest.Open(t)
	for _, kind := range []string{"strides", "random", "scales"} {
		c, whole, dir := timed(t, dense(), kind), t.TempDir(), t.TempDir()
		mustTrain(t, options(b, c, whole))
		ctx, o := stopAt(options(b, c, dir), 5)
		if p, err := Train(ctx, o); !errors.Is(err, ErrStopped) || p.Step != 5 {
			t.Fatalf("stopped at step %d, %v", p.Step, err)
		}
		mustTrain(t, options(b, c, dir))
		sameRuns(t, dir, whole, c)
		untold := t.TempDir()
		o = options(b, c, untold)
		o.Train = still{8} // whose clips are the same at any times
		mustTrain(t, o)
		other, elsewhere := timed(t, dense(), kind), t.TempDir()
		other.Frames.Times.Span = 9
		o = options(b, other, elsewhere)
		o.Train = still{8}
		mustTrain(t, o)
		if bytes.Equal(weightsOf(t, untold), weightsOf(t, elsewhere)) {
			t.Errorf("%s: other times of the same frames make the same weights", kind)
		}
	}
}

// timesVariable is how many steps [TestTheNetworkUsesTimes] trains configs/demo.yml, instead of a
// toy.
const timesVariable = "MCVD_TIMES_STEPS"

// A network that has learned from clips of several strides predicts better if it is told the true
// times than if it is told those of consecutive frames: of the same clips, with the same noise.
func TestTheNetworkUsesTimes(t *testing.T) {
	b, c := backendtest.Open(t), timed(t, toy(), "strides")
	c.Model.Options["width"], c.Model.Options["dropout"] = 8, 0
	c.Optimizer.LearningRate, c.Optimizer.WeightDecay = 5e-3, 0
	c.Frames.Mask.Past, c.Frames.Mask.Future, c.Diffusion.Target = 0, 1, "x0"
	c.Train.Batch, c.Train.Steps, c.Train.Accumulate, c.Train.CheckpointEvery, c.Train.ValidateEvery = 16, 150, 1, 1000, 0
	var ds clips.Dataset = waves{c.Data.Size, 9}
	if text := os.Getenv(timesVariable); text != "" {
		steps, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s=%s, want a number of steps", timesVariable, text)
		}
		c, err = experiment.Load("../configs/demo.yml", "data.name=digits", "data.options.digits=1", "data.options.digit_size=11",
			"data.options.speed=[1, 1.5]", "model.options.frame_times=true", "frames.times.kind=strides", "frames.times.span=28",
			"train.validate_every=0", "train.sample_every=0", "train.steps="+text)
		if err != nil || steps < 1 {
			t.Fatal(steps, err)
		}
		if ds, err = data.Open(t.Context(), c, clips.Train, c.Frames.Span(), slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	o := options(b, c, t.TempDir())
	o.Train = ds
	mustTrain(t, o)
	right, wrong := errorsOfTimes(t, b, c, o.Dir, ds)
	t.Logf("mean squared error of clean frames: %.5f told true times, %.5f told those of consecutive frames", right, wrong)
	if !(right < 0.9*wrong) {
		t.Errorf("errors %g with true times and %g with those of consecutive frames, want the first to be clearly lower", right, wrong)
	}
}

// errorsOfTimes are the errors of a run's averaged weights on clips of later batches whose frames
// do not follow each other, told the true times and those of consecutive frames.
func errorsOfTimes(t *testing.T, b compute.Backend, c *configs.Config, dir string, ds clips.Dataset) (right, wrong float64) {
	t.Helper()
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	run, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := run.OpenCheckpoint("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	store, err := m.Load(b, f, models.EMAScope)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Finalize()
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		_, draws := m.Draw(nn.Random{State: in[1]}, in[2])
		draws.Times = in[3]
		_, x0 := m.ErrorGraph(nn.NewBuilder(b), scope.At(models.EMAScope), numbers(in[0]), draws)
		return []*Node{x0}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	n, count := c.Frames.Total(), 0.0
	batches := data.NewBatches(ds, c, slog.New(slog.DiscardHandler))
	for k := range 16 {
		batch, err := batches.At(c.Train.Steps + 1 + k)
		if err != nil {
			t.Fatal(err)
		}
		levels := m.DrawLevels(source(1, levelStream, uint64(k), 0), c.Train.Batch)
		errorsWith := func(times *tensors.Tensor) []float32 {
			out, err := exec.Call(tensors.FromFlatDataAndDimensions(slices.Clone(batch.Pix), batch.Batch, n, batch.Height, batch.Width, batch.Channels),
				randomState(1, validationStream, uint64(k), 0), levels, times)
			if err != nil {
				t.Fatal(err)
			}
			return tensors.MustCopyFlatData[float32](out[0])
		}
		good, bad := errorsWith(timesOf(batch)), errorsWith(consecutive(c))
		for i := range batch.Batch {
			if batch.Times[i*n+n-1] > n-1 {
				right, wrong, count = right+float64(good[i]), wrong+float64(bad[i]), count+1
			}
		}
	}
	return right / count, wrong / count
}

// weightsOf are the bytes of a run's last weights.
func weightsOf(t *testing.T, dir string) (all []byte) {
	t.Helper()
	run, err := OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := run.OpenCheckpoint("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, of := range f.Tensors() {
		values, err := f.Float32s(of.Name)
		if err != nil {
			t.Fatal(err)
		}
		all = fmt.Append(all, of.Name, values)
	}
	return all
}

// Times that are drawn need a network that is told them.
func TestDrawnTimesNeedANetworkThatIsToldThem(t *testing.T) {
	for _, network := range []configs.Model{{Network: "unet"}, {Network: "mlp"}} {
		c := timed(t, toy(), "random")
		if network.Network == "unet" {
			c.Model.Options["frame_times"] = false
		} else {
			c.Model = network
		}
		_, err := models.New(c)
		want := "frames.times.kind: random, want consecutive, because the network isn't told when frames were taken"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", network.Network, err, want)
		}
	}
	c := timed(t, toy(), "random")
	c.Model = configs.Model{Network: "mlp", Options: configs.Options{"frame_times": true}}
	if _, err := models.New(c); err != nil {
		t.Error(err)
	}
}

// The estimate of memory, and the benchmark, know the input.
func TestDrawnTimesAreAnInput(t *testing.T) {
	b, c := backendtest.OpenGo(t), timed(t, toy(), "random")
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if need, err := Memory(b, m, c); err != nil || need.Activations <= 0 {
		t.Errorf("%+v, %v", need, err)
	}
	if took, err := Benchmark(t.Context(), b, c, 2); err != nil || len(took) != 2 {
		t.Errorf("%v, %v", took, err)
	}
}
