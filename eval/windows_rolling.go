package eval

import (
	"cmp"
	"fmt"
	"iter"

	"mcvd/configs"
)

// rollingName is the schedule whose windows go on with the noisy frames of the window before.
const rollingName = "rolling"

// rolling is the pyramid of Diffusion Forcing (Chen et al. 2024), or Rolling Diffusion (Ruhe et al.
// 2024), over the whole video. The frames of a block follow each other through the noise levels
// (sampler.frame_lag). As soon as the first ones are clean, the block moves on by them: the others stay
// as noisy as they are, and pure noise comes in at the end. So every frame is made with what comes after
// it in sight. Slots for which there is no frame yet are hidden.
func rolling(j Job, model configs.Frames) (iter.Seq[Window], error) {
	return func(yield func(Window) bool) {
		t := newThere(j, model)
		for at := 0; at < j.Frames; at += j.Advance {
			w := block(j, model, at, at, at+j.Advance, false)
			for k := range model.Past {
				w.Given[k] = orNone(at-model.Past+k, t.has(at-model.Past+k))
			}
			w.Rolls = j.Advance
			if !yield(t.add(w)) {
				return
			}
		}
	}, nil
}

// noisy lists the frames of the block that the next window goes on with, as far as the video's n
// frames go.
func (w Window) noisy(n int) (frames []int) {
	for k := w.Rolls; w.Rolls > 0 && k < len(w.Make) && w.Make[0]+k < n; k++ {
		frames = append(frames, w.Make[0]+k)
	}
	return frames
}

// Advance is how many frames of each block are kept: those that are asked for, or, if that is 0, all
// of them, and one where windows roll.
func Advance(asked int, windows string, model configs.Frames) int {
	if windows == rollingName {
		return cmp.Or(asked, 1)
	}
	return cmp.Or(asked, model.Current)
}

// checkRolling reports settings of the sampler with which the job's windows can't roll.
func (g *Generator) checkRolling(j Job) error {
	if j.windows() != rollingName {
		return nil
	}
	if g.plans.skip > 0 {
		return fmt.Errorf("windows %q: go on with the frames of the window before as noisy as they are, want sampler.start 0", rollingName)
	}
	if err := g.lag.CheckRolling(g.plans.whole, g.model.Frames.Current, j.Advance); err != nil {
		return fmt.Errorf("windows %q: %w", rollingName, err)
	}
	return nil
}
