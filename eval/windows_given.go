package eval

import (
	"fmt"
	"iter"

	"mcvd/configs"
)

// checkGiven reports given frames that a video can't have.
func (j Job) checkGiven() error {
	for k, i := range j.Given {
		switch {
		case i < 0 || i >= j.Frames:
			return fmt.Errorf("given frame %d: want 0 to %d, the frames of the video", i, j.Frames-1)
		case k > 0 && i <= j.Given[k-1]:
			return fmt.Errorf("given frame %d: stands behind frame %d, want each once and in order", i, j.Given[k-1])
		}
	}
	if j.Task != Generate || j.Windows != "" && j.Windows != NearestWindows {
		return fmt.Errorf("%v: given frames have windows of their own, and are all that is given", j.Task)
	}
	if len(j.Given) == j.Frames {
		return fmt.Errorf("all %d frames are given, so none is left to generate", j.Frames)
	}
	return nil
}

// around fills a video around the frames that are given in it (MCVD hides past and future as a whole;
// here each slot is visible where its frame exists). All windows are consecutive: a frame is in the
// slot of its time, or the window doesn't see it.
//
// Gaps are filled from their left end. The last block of a gap ends where the next given frame is, so
// that this window sees it, and what the block makes a second time is dropped. The gap before the
// first given frame is filled backwards.
func around(j Job, model configs.Frames) iter.Seq[Window] {
	return fillGaps(j, model, func(t *there, at, from, to int) Window { return t.consecutive(model, at, from, to) })
}

// fillGaps fills the gaps of a video in the order of [around]. window makes the window whose block
// begins at frame at, of which frames from to to (exclusive) are kept.
func fillGaps(j Job, model configs.Frames, window func(t *there, at, from, to int) Window) iter.Seq[Window] {
	return func(yield func(Window) bool) {
		t := newThere(j, model)
		for _, g := range t.gaps() {
			for backwards := !t.has(g.from-1) && t.has(g.to); g.from < g.to; {
				at, from, to := g.from, g.from, min(g.from+j.Advance, g.to)
				switch {
				case backwards:
					at, from, to = g.to-model.Current, max(g.from, g.to-j.Advance), g.to
				case t.has(g.to) && g.to-g.from <= model.Current:
					at, to = g.to-model.Current, g.to
				}
				if !yield(t.add(window(t, at, from, to))) {
					return
				}
				if backwards {
					g.to = from
					t.settle()
				} else {
					g.from = to
				}
			}
		}
	}
}

// consecutive is a window whose block begins at frame at, of which frames from to to (exclusive) are
// kept. It is given what there is before and after the block.
func (t *there) consecutive(model configs.Frames, at, from, to int) (w Window) {
	for i := at - model.Past; i < at+model.Current+model.Future; i++ {
		if i >= at && i < at+model.Current {
			w.Make = append(w.Make, orNone(i, i >= from && i < to))
		} else {
			w.Given = append(w.Given, orNone(i, t.has(i)))
		}
	}
	return w
}
