package train

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/paritytest"
	"mcvd/train/runs"
)

// placed puts batches where the stepper wants them.
func placed(t testing.TB, s *stepper, batches ...*tensors.Tensor) []devices.Value {
	t.Helper()
	var values []devices.Value
	for _, b := range batches {
		v, err := s.devices.Put(b, devices.Parts)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

// whole is a value as one tensor.
func whole(t testing.TB, v devices.Value) *tensors.Tensor {
	t.Helper()
	x, err := v.Tensor()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// started is an experiment before its first step.
func started(t *testing.T, c *configs.Config) (*models.Model, *model.Store, *stepper) {
	t.Helper()
	b := backendtest.Open(t)
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store, err := firstState(b, m, c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStepper(b, store, m, c, all(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return m, store, s
}

// losses are those of steps, and the norms.
func losses(t *testing.T, c *configs.Config, steps int) []float64 {
	t.Helper()
	m, _, s := started(t, c)
	var all []float64
	for i := range steps {
		var batches []*tensors.Tensor
		for k := range c.Train.Accumulate {
			shape := m.ClipShape(c.Train.Batch, c.Frames.Total())
			v := make([]float32, shape.Size())
			for j := range v {
				v[j] = float32(math.Sin(0.01*float64(j+1)*float64(k+1) + float64(i)))
			}
			batches = append(batches, tensors.FromFlatDataAndDimensions(v, shape.Dimensions...))
		}
		r, err := s.run(i+1, placed(t, s, batches...), drawsOf(m, c, i))
		if err != nil || r.Skipped {
			t.Fatalf("step %d: %+v, %v", i+1, r, err)
		}
		all = append(all, r.Loss, r.GradientNorm)
		for _, batch := range r.Losses {
			for _, loss := range batch {
				all = append(all, float64(loss))
			}
		}
	}
	return all
}

// apart is the largest difference, by what is wanted; NaN if there is one.
func apart(got, want []float64) (worst float64) {
	for i := range want {
		worst = max(worst, math.Abs(got[i]/want[i]-1))
	}
	return worst
}

// The loss curve does not depend on how many devices share a batch.
func TestDevicesAgree(t *testing.T) {
	const steps = 20
	if there := backendtest.Open(t).NumDevices(); there < 2 {
		t.Logf("this backend has one device: only refusals are tested")
		return
	}
	on := func(devices int) []float64 {
		c := toy()
		c.Train.Devices, c.Diffusion.Levels = devices, diffusion.ByLoss // so that steps return the losses of clips
		return losses(t, c, steps)
	}
	want := on(1)
	for _, n := range []int{4} { // two share one in the test below
		worst := apart(on(n), want)
		if !(worst <= 1e-5) {
			t.Errorf("%d devices: losses or norms differ by %.2g", n, worst)
		}
		t.Logf("%d devices: losses and norms of %d steps differ by at most %.1g", n, steps, worst)
	}
}

// A run on several devices goes on exactly where it stopped; on another number of them, too, up to
// rounding.
func TestRunsGoOnOnAnyNumberOfDevices(t *testing.T) {
	b := backendtest.Open(t)
	if b.NumDevices() < 2 {
		t.Logf("this backend has one device: see TestResume")
		return
	}
	train := func(dir string, devices, steps int) {
		t.Helper()
		c := dense()
		c.Train = configs.Train{Distillation: "progressive", Precision: "float32", Batch: 4, Steps: steps, Devices: devices, Accumulate: 1, Ranks: configs.Ranks{Name: "gradients"}, CheckpointEvery: 100, Keep: 2, OnDivergence: "stop", Scores: c.Train.Scores}
		o := options(b, c, dir)
		if _, err := Train(context.Background(), o); err != nil {
			t.Fatal(err)
		}
	}
	path := func(dir string) string { return filepath.Join(dir, runs.CheckpointsDir, runs.CheckpointName(6)) }
	whole, parts, changed := t.TempDir(), t.TempDir(), t.TempDir()
	train(whole, 2, 6)
	train(parts, 2, 3)
	train(parts, 2, 6)
	want, errWant := os.ReadFile(path(whole))
	got, errGot := os.ReadFile(path(parts))
	if errWant != nil || errGot != nil || !bytes.Equal(got, want) {
		t.Errorf("stopped and resumed on two devices: other bytes than without a stop (%v, %v)", errWant, errGot)
	}
	train(changed, 2, 3)
	train(changed, 1, 6)
	one, two := paritytest.Open(t, path(changed)), paritytest.Open(t, path(whole))
	for _, tensor := range two.Tensors() {
		if d := paritytest.Worst(one.Floats(tensor.Name), two.Floats(tensor.Name), 1e-5, 1e-3); !(d <= 1) {
			t.Errorf("resumed on one device: %s differs by %.2g of 1e-5 + 1e-3 of the value", tensor.Name, d)
		}
	}
}
