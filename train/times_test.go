package train

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// timed is a toy whose clips have times that are drawn.
func timed(t *testing.T, kind string) *configs.Config {
	t.Helper()
	c := toy()
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
	for _, kind := range []string{"strides", "random"} {
		c, whole, dir := timed(t, kind), t.TempDir(), t.TempDir()
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
		other, elsewhere := timed(t, kind), t.TempDir()
		other.Frames.Times.Span = 9
		o = options(b, other, elsewhere)
		o.Train = still{8}
		mustTrain(t, o)
		if bytes.Equal(weightsOf(t, untold), weightsOf(t, elsewhere)) {
			t.Errorf("%s: other times of the same frames make the same weights", kind)
		}
	}
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
		c := timed(t, "random")
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
	c := timed(t, "random")
	c.Model = configs.Model{Network: "mlp", Options: configs.Options{"frame_times": true}}
	if _, err := models.New(c); err != nil {
		t.Error(err)
	}
}

// The estimate of memory, and the benchmark, know the input.
func TestDrawnTimesAreAnInput(t *testing.T) {
	b, c := backendtest.OpenGo(t), timed(t, "random")
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
