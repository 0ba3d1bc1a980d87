package data

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"mcvd/configs"
)

// timing is how training draws at which frames of a video a clip is cut.
type timing interface {
	// draw draws n times, n 1 or more: numbers of frames from the clip's first one on, which is 0.
	// They grow, and are below span.
	draw(rng *rand.Rand, n, span int) []int
	// shows says whether clips of n frames may have frames at these times in these slots, counted from
	// 0. Both grow; times count from any moment on.
	shows(slots, times []int, n, span int) bool
	// least is the smallest span with which clips of n frames differ in their times, 0 if they never
	// do.
	least(n int) int
}

// timings are the values of frames.times.kind. A new one is a type and a line here.
var timings = map[string]timing{
	"consecutive": consecutive{},
	"strides":     strides{},
	"random":      scattered{},
	"scales":      scales{},
}

// Timings lists the ways to draw times.
func Timings() []string { return configs.Names(timings) }

// timesPath is where the way to draw times is chosen.
const timesPath = "frames.times.kind"

// timingOf is how training draws times; an experiment that says nothing has consecutive frames.
func timingOf(f configs.Frames) (timing, error) {
	return configs.Pick(timings, timesPath, cmp.Or(f.Times.Kind, "consecutive"))
}

// ShowsTimes says whether training clips may have frames at these times in these slots. Slots,
// which grow, count the frames of a clip from 0; times count from any moment on.
func ShowsTimes(f configs.Frames, slots, times []int) bool {
	t, err := timingOf(f)
	if err != nil {
		panic(err) // loading has checked the name
	}
	return len(slots) < 2 || t.shows(slots, times, f.Total(), f.Times.Span)
}

// checkTimes reports a span in which clips can't have different times.
func checkTimes(f configs.Frames) error {
	t, err := timingOf(f)
	if err != nil {
		return err
	}
	var p configs.Problems
	if least := t.least(f.Total()); least > 0 {
		p.Check(f.Total() > 1, timesPath, f.Times.Kind, "consecutive, because clips have one frame", "frames.current")
		p.Check(f.Total() < 2 || f.Times.Span >= least, "frames.times.span", f.Times.Span,
			fmt.Sprintf("%d or more, so that clips of %d frames differ in their times", least, f.Total()), timesPath)
	}
	return p.Err()
}

// consecutive frames follow each other one by one.
type consecutive struct{}

func (consecutive) draw(_ *rand.Rand, n, _ int) []int { return every(n, 1) }
func (consecutive) least(int) int                     { return 0 }

func (consecutive) shows(slots, times []int, _, _ int) bool { return inStride(slots, times, 1) }

// strides has every k-th frame. All k with which a clip fits into the span are equally likely.
type strides struct{}

func (strides) draw(rng *rand.Rand, n, span int) []int {
	return every(n, 1+rng.IntN(max(1, (span-1)/max(1, n-1))))
}

func (strides) shows(slots, times []int, n, span int) bool {
	stride := (times[1] - times[0]) / (slots[1] - slots[0])
	return stride >= 1 && stride*(n-1) < span && inStride(slots, times, stride)
}

func (strides) least(n int) int { return 2*(n-1) + 1 }

// scattered has any n of the span's frames. All sets of n are equally likely.
type scattered struct{}

func (scattered) draw(rng *rand.Rand, n, span int) []int {
	times := rng.Perm(max(n, span))[:n]
	slices.Sort(times)
	for k, first := 0, times[0]; k < n; k++ {
		times[k] -= first
	}
	return times
}

// shows asks for room for the frames that are hidden: between those that are seen, and on both
// sides.
func (scattered) shows(slots, times []int, n, span int) bool {
	last := len(slots) - 1
	for k := range last {
		if times[k+1]-times[k] < slots[k+1]-slots[k] {
			return false
		}
	}
	return slots[0]+times[last]-times[0]+n-1-slots[last] < span
}

func (scattered) least(n int) int { return n + 1 }

// scales has scattered frames of a part of the span. The length of the part is drawn uniformly in
// its logarithm, so neighbouring and distant frames are both common. With scattered alone,
// neighbouring frames are rare in a long span.
type scales struct{ scattered }

func (s scales) draw(rng *rand.Rand, n, span int) []int {
	part := float64(n) * math.Pow(float64(span+1)/float64(n), rng.Float64())
	return s.scattered.draw(rng, n, min(int(part), span))
}

// every is n times, each stride behind the one before it.
func every(n, stride int) []int {
	times := make([]int, n)
	for k := range times {
		times[k] = k * stride
	}
	return times
}

// inStride says whether times in slots are those of a clip of every stride-th frame.
func inStride(slots, times []int, stride int) bool {
	for k := range slots {
		if times[k]-times[0] != stride*(slots[k]-slots[0]) {
			return false
		}
	}
	return true
}

// turned is the times of the frames of a clip that is turned around in time: they come in the other
// order, and still grow from 0 on.
func turned(times []int) []int {
	out, last := make([]int, len(times)), len(times)-1
	for k := range times {
		out[k] = times[last] - times[last-k]
	}
	return out
}
