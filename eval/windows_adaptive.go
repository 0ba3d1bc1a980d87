package eval

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"mcvd/configs"
)

// adaptiveName is the schedule whose windows choose their given frames by how these look.
const adaptiveName = "adaptive"

// Chooses says whether windows choose their given frames when they run.
func Chooses(windows string) bool { return windows == adaptiveName }

// adaptive makes the frames of hierarchy2 in its order, but chooses the given frames of a window
// when it runs, for each video by itself: one after the other, such that they look as little like
// each other as possible (Harvey et al. 2022, Adaptive Hierarchy-2). See [choose]. In
// the list, they are those that are farthest from each other in time.
func adaptive(j Job, model configs.Frames) (iter.Seq[Window], error) {
	windows, err := hierarchy(2)(j, model)
	return func(yield func(Window) bool) {
		t := newThere(j, model)
		for w := range windows {
			w.Among = t.all()
			w.Given = w.choose(model, func(a, b int) float64 { return math.Abs(float64(w.Among[a] - w.Among[b])) })
			if !yield(t.add(w)) {
				return
			}
		}
	}, err
}

// all are the frames that exist, in order.
func (t *there) all() []int {
	frames := []int{}
	for i := -t.past; i < t.n+t.future; i++ {
		if t.has(i) {
			frames = append(frames, i)
		}
	}
	return frames
}

// choose chooses which of w.Among are given to a window: first the nearest one on each side of what
// it makes, and then again and again the frame whose smallest distance to those chosen already is
// largest, the first of several. Slots of the past take frames from before the block, and those of
// the future frames from behind it; slots that are left are hidden. distance is that of two frames
// by where they stand in w.Among.
func (w Window) choose(model configs.Frames, distance func(a, b int) float64) (given []int) {
	sides := [2]side{{free: model.Past}, {free: model.Future}}
	block := w.block()
	end := slices.Max(w.Make) // the last one that is kept; None is less than all
	for k, i := range w.Among {
		switch {
		case i < block[0]:
			sides[0].open = append(sides[0].open, k)
		case i > end:
			sides[1].open = append(sides[1].open, k)
		}
	}
	apart := make([]float64, len(w.Among)) // the smallest distance to those chosen
	for k := range apart {
		apart[k] = math.Inf(1)
	}
	take := func(s *side, at int) {
		chosen := s.open[at]
		s.open, s.taken, s.free = slices.Delete(s.open, at, at+1), append(s.taken, chosen), s.free-1
		for _, s := range sides {
			for _, k := range s.open {
				apart[k] = min(apart[k], distance(k, chosen))
			}
		}
	}
	if s := &sides[0]; s.can() {
		take(s, len(s.open)-1)
	}
	if s := &sides[1]; s.can() {
		take(s, 0)
	}
	for sides[0].can() || sides[1].can() {
		var from *side
		at := 0
		for n := range sides {
			s := &sides[n]
			for k := range s.open {
				if s.can() && (from == nil || apart[s.open[k]] > apart[from.open[at]]) {
					from, at = s, k
				}
			}
		}
		take(from, at)
	}
	hidden := slices.Repeat([]int{None}, sides[0].free)
	return slices.Concat(hidden, sides[0].numbers(w.Among), sides[1].numbers(w.Among), slices.Repeat([]int{None}, sides[1].free))
}

// side is the frames on one side of a block.
type side struct {
	free        int   // slots
	open, taken []int // candidates, in order, and those that were chosen
}

func (s side) can() bool { return s.free > 0 && len(s.open) > 0 }

// numbers are those of the chosen frames, in order.
func (s side) numbers(among []int) (frames []int) {
	for _, k := range slices.Sorted(slices.Values(s.taken)) {
		frames = append(frames, among[k])
	}
	return frames
}

// checkChoice reports windows that choose given frames where a guidance gives frames of the block.
func (g *Generator) checkChoice(j Job) error {
	if f := g.model.Frames; Chooses(j.windows()) && (g.wide.Past != f.Past || g.wide.Future != f.Future) {
		return fmt.Errorf("windows %q: choose frames that are far away, but the guidance takes given frames for ones of the block; want another guidance", adaptiveName)
	}
	return nil
}

// chosen are the given frames of a window with candidates, chosen for each video by the mean
// squared difference of frames, and the times that go with them, as [batch.times]. frames are those
// of w.Given and of w.Among.
func (b *batch) chosen(w Window, frames []Frame) (given []Frame, times []float32) {
	among := frames[len(w.Given):]
	given = make([]Frame, len(w.Given))
	for i := range b.cases {
		of := func(k int) Frame { return among[k][i*b.size:][:b.size] }
		w.Given = w.choose(b.model.Frames, func(x, y int) float64 { return squared(of(x), of(y)) })
		for slot, number := range w.Given {
			if number != None {
				k, _ := slices.BinarySearch(w.Among, number)
				given[slot] = append(given[slot], of(k)...)
			}
		}
		times = append(times, b.times(w)[:b.model.Frames.Total()]...)
	}
	return given, times
}

// squared is the mean squared difference of two frames.
func squared(x, y Frame) (sum float64) {
	for i := range x {
		d := float64(x[i] - y[i])
		sum += d * d
	}
	return sum / float64(len(x))
}
