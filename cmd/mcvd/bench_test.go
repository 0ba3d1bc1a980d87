package main

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// benched are the lines of JSON that mcvd bench prints.
func benched(t *testing.T, args string) (all []timing) {
	t.Helper()
	status, stdout, stderr := call(t, append([]string{"bench", "--json", "--steps", "2"}, strings.Fields(args)...)...)
	if status != 0 {
		t.Fatalf("bench %s: status %d, says %s", args, status, stderr)
	}
	for line := range strings.Lines(stdout) {
		var v timing
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v.Impl != "mcvd" || v.Backend != "go" || len(v.MS) < 2 {
			t.Errorf("bench %s: %s", args, line)
		}
		all = append(all, v)
	}
	return all
}

// The speed of a matrix product of n rows is 2 n^3 operations by the least time. On Go there is
// one, in float32.
func TestBenchOfMatrixProducts(t *testing.T) {
	all := benched(t, "--what matmul")
	if len(all) != 1 {
		t.Fatalf("%d results, want 1", len(all))
	}
	v := all[0]
	n := float64(v.N)
	if !(v.N >= 1024) || v.What != "matmul" || v.Precision != "float32" || v.Network != "" || v.GFLOP != 2*n*n*n/1e9 {
		t.Errorf("%+v", v)
	}
	if got, want := v.TFLOPS, v.GFLOP/slices.Min(v.MS); !(math.Abs(got-want) <= 1e-2*want) { // times are printed in microseconds
		t.Errorf("%g TFLOP/s, want %g", got, want)
	}
}

// Of eight steps the first is shown apart, five are left out, and two are timed.
func TestBenchLeavesOutTheWarmUp(t *testing.T) {
	var times []time.Duration
	for i := range 8 {
		times = append(times, time.Duration(i+1)*time.Millisecond)
	}
	if got := steady(times); got.FirstMS != 1 || !slices.Equal(got.MS, []float64{7, 8}) || got.Warmup != 5 {
		t.Errorf("%+v", got)
	}
}

// A training step is three network evaluations for each of its batches; sampling's is one.
func TestBenchOfSteps(t *testing.T) {
	inNewFolder(t)
	const config = "-c configs/tiny.yml --set train.accumulate=2 --what "
	training, sampling := benched(t, config+"train")[0], benched(t, config+"sample")[0]
	if got, want := training.GFLOP, 3*2*sampling.GFLOP; !(want > 0 && math.Abs(got-want) <= 1e-9*want) {
		t.Errorf("%g GFLOP a training step, want %g", got, want)
	}
	for _, v := range []timing{training, sampling} {
		if v.Network != "tiny" || v.Batch != 4 || !(v.Millions > 0) || !(v.FirstMS > 0) || len(v.MS) != 2 || v.Warmup != 5 {
			t.Errorf("%+v", v)
		}
	}
}

// The loader's frames a second are those of all its batches, of which a time is the mean of 50 and
// the first stands for itself.
func TestBenchOfTheLoader(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "data", "export", "-c", "configs/tiny.yml", "--clips", "4", "--frames", "8", "-o", "clips/train"); status != 0 {
		t.Fatal(stderr)
	}
	for _, set := range []string{"", " --set data.name=folder --set data.path=clips"} {
		v := benched(t, "-c configs/tiny.yml --what loader --set train.batch=64"+set)[0]
		seconds := (v.FirstMS + 50*(v.MS[0]+v.MS[1])) / 1e3
		const frames = 101 * 64 * 6
		if got := v.FramesPerSecond * seconds; len(v.MS) != 2 || !(math.Abs(got-frames) <= 5e-2*frames) { // times are printed in microseconds
			t.Errorf("%s: %g frames, want %d: %+v", set, got, frames, v)
		}
	}
}
