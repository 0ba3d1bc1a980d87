package train

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"

	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// longVariable is how many steps [TestALongRunHoldsNoMore] trains instead of a few; 10000 take one
// or two minutes.
const longVariable = "MCVD_LONG_STEPS"

// held is what a process holds.
type held struct {
	goroutines, files int
	heap              float64 // bytes of Go's heap
	memory            float64 // bytes of all memory, also of XLA's, of which Go knows nothing; without what can be read again from files
}

// holding is what this process holds when all garbage is collected: pools and finalizers give
// theirs up in a second round.
func holding(t *testing.T) held {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var total, resident, shared float64 // pages
	if _, err := fmt.Sscan(string(readFile(t, "/proc/self/statm")), &total, &resident, &shared); err != nil {
		t.Fatal(err)
	}
	return held{runtime.NumGoroutine(), len(files), float64(m.HeapAlloc), (resident - shared) * float64(os.Getpagesize())}
}

// Goroutines, open files and memory are in the last tenth of a run what they are in the second; in
// the first, programs are compiled and pools filled. What a few steps leak can't be told from what
// XLA and the C library do with their memory, so all memory is judged in long runs only; in short
// ones Go's heap is, which holds every tensor of the Go backend, and a handle of each of XLA's.
func TestALongRunHoldsNoMore(t *testing.T) {
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skipf("nothing here says what a process holds: %v", err)
	}
	steps, long := 2000, os.Getenv(longVariable)
	if long != "" {
		var err error
		if steps, err = strconv.Atoi(long); err != nil || steps < 200 {
			t.Fatalf("%s=%s, want a number of steps, 200 or more", longVariable, long)
		}
	}
	c := dense()
	c.Train.Batch, c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery = 2, steps, steps/50, steps/10
	b := backendtest.Open(t)
	o := options(b, c, t.TempDir())
	var err error
	if o.Train, err = data.Open(t.Context(), c, clips.Train, c.Frames.Total(), o.Log); err != nil {
		t.Fatal(err)
	}
	all := make([]held, 0, 100)
	o.Report = func(l runs.Line) {
		if l.Step%(steps/100) == 0 && l.Validation == nil {
			all = append(all, holding(t))
		}
	}
	mustTrain(t, o)

	tenth := len(all) / 10
	second, last := all[tenth:2*tenth], all[len(all)-tenth:]
	count := func(what string, of func(held) int) {
		// Batches are made by goroutines that come and go, so only a number that no longer comes
		// down is a leak.
		most, fewest := slices.Max(each(second, of)), slices.Min(each(last, of))
		t.Logf("%s: at most %d in the second tenth, at least %d in the last", what, most, fewest)
		if fewest > most {
			t.Errorf("%s: %d or more in the last tenth of %d steps, but at most %d in the second", what, fewest, steps, most)
		}
	}
	count("goroutines", func(h held) int { return h.goroutines })
	count("open files", func(h held) int { return h.files })
	size := func(what string, typical func([]float64) float64, of func(held) float64, more float64) {
		before, after := typical(each(second, of)), typical(each(last, of))
		t.Logf("%s: %.3f MB in the second tenth, %.3f MB in the last", what, before/1e6, after/1e6)
		if !(after <= before*(1+more)) {
			t.Errorf("%s: %.3f MB in the last tenth of %d steps, more than %g %% above the %.3f MB in the second", what, after/1e6, steps, 100*more, before/1e6)
		}
	}
	// A checkpoint that is being written holds some, so the least is what stays.
	size("Go's heap", slices.Min[[]float64], func(h held) float64 { return h.heap }, 0.005)
	if long != "" {
		size("memory", mean, func(h held) float64 { return h.memory }, 0.03)
	}
}

func each[A, B any](xs []A, f func(A) B) []B {
	var ys []B
	for _, x := range xs {
		ys = append(ys, f(x))
	}
	return ys
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}
