package eval

import (
	"iter"
	"math"

	"mcvd/configs"
)

// hierarchy generates a video from coarse to fine (Harvey et al. 2022, Flexible Diffusion Modeling
// of Long Videos: Hierarchy-2, Hierarchy-3).
//
// The first level spreads one block of frames over the whole video. Each later level divides the
// gaps between the frames that there are, and the last level makes all that are missing. Of L levels
// for n frames and blocks of c, level l has its frames at most ceil((n/c)^((L-l)/(L-1))) apart, so
// each level is about as many times finer as the one before it.
//
// A window lies within one gap. It is given the nearest frames before its block, which may belong
// to any level, and the nearest after it, which belong to levels before. So it sees where the video
// is going, but frames that are farther apart than in a clip of training.
func hierarchy(levels int) maker {
	return func(j Job, model configs.Frames) (iter.Seq[Window], error) {
		return func(yield func(Window) bool) {
			t := newThere(j, model)
			for level := 1; level <= levels; level++ {
				rest := float64(levels-level) / float64(levels-1)
				stride := int(math.Ceil(math.Pow(float64(j.Frames)/float64(model.Current), rest) - 1e-9))
				for _, g := range t.gaps() {
					for w := range t.fill(t.divide(g, max(1, stride)), j.Advance, model) {
						if !yield(w) {
							return
						}
					}
				}
				t.settle()
			}
		}, nil
	}
}

// divide chooses frames of a gap, as few as leave no two neighbours farther apart than stride. The
// frames on both sides of the gap are such neighbours. At an end of the video that isn't given, the
// last frame is chosen.
func (t *there) divide(g gap, stride int) []int {
	left, right := g.from, g.to-1
	if t.has(g.from - 1) {
		left = g.from - 1
	}
	if t.has(g.to) {
		right = g.to
	}
	intervals := (right - left + stride - 1) / stride
	var frames []int
	for k := range intervals + 1 {
		at := left
		if k > 0 {
			at = left + k*(right-left)/intervals
		}
		if !t.has(at) {
			frames = append(frames, at)
		}
	}
	return frames
}

// fill lists windows that make some frames of a gap, in order. Of each block, advance frames are
// kept. The last block ends with the last of these frames, and what it makes a second time is
// dropped. If there are fewer frames than a block has, the end of the block is dropped.
func (t *there) fill(frames []int, advance int, model configs.Frames) iter.Seq[Window] {
	return func(yield func(Window) bool) {
		for made, to := 0, 0; made < len(frames); made = to {
			first := made
			if to = made + advance; len(frames)-made <= model.Current {
				first, to = max(0, len(frames)-model.Current), len(frames)
			}
			last := min(first+model.Current, len(frames)) - 1
			w := Window{Given: append(t.before(frames[first], model.Past), t.after(frames[last], model.Future)...)}
			for k := range model.Current {
				i := first + k
				if i < len(frames) {
					w.Times = append(w.Times, frames[i])
				} else {
					w.Times = append(w.Times, w.Times[k-1]+1)
				}
				if i >= made && i < to {
					w.Make = append(w.Make, frames[i])
				} else {
					w.Make = append(w.Make, None)
				}
			}
			if !yield(t.add(w)) {
				return
			}
		}
	}
}
