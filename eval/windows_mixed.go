package eval

import (
	"iter"

	"mcvd/configs"
)

// mixed goes on from the past as autoregressive does, but gives only half of the past's slots, and
// one more of an odd number, to the most recent frames. The others see frames from the first one on,
// evenly spread over what lies before (Harvey et al. 2022: Long-range, which takes
// them from the given frames alone). So a window knows how the video began. Slots for which there is
// no frame yet are hidden.
func mixed(j Job, model configs.Frames) (iter.Seq[Window], error) {
	return func(yield func(Window) bool) {
		t := newThere(j, model)
		distant := model.Past / 2
		recent := model.Past - distant
		for at := 0; at < j.Frames; at += j.Advance {
			w := block(j, model, at, at, at+j.Advance, false)
			first, behind := -t.past, at-recent // the distant ones are among first to behind-1
			for k := range model.Past {
				w.Given[k] = orNone(at-model.Past+k, t.has(at-model.Past+k))
			}
			if behind-first > distant {
				for k := range distant {
					w.Given[k] = first + k*(behind-first)/distant
				}
			}
			if !yield(t.add(w)) {
				return
			}
		}
	}, nil
}
