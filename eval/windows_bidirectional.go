package eval

import (
	"iter"

	"mcvd/configs"
)

// bidirectional fills the gap between past and future from both of its ends in turn. While more
// than a block is missing, a window goes on from the past and sees nothing else, and the next one
// goes backwards from the future. The last window closes the gap and sees both sides. So errors grow
// over half of the gap only, from each side.
func bidirectional(j Job, model configs.Frames) (iter.Seq[Window], error) {
	if err := j.checkGap(model); err != nil {
		return nil, err
	}
	return func(yield func(Window) bool) {
		from, to := 0, j.Frames // what is missing
		for forward := true; to-from > model.Current; forward = !forward {
			w := block(j, model, from, from, from+j.Advance, false)
			if forward {
				from += j.Advance
			} else {
				w = block(j, model, to-model.Current, to-j.Advance, to, true)
				for k := range model.Past {
					w.Given[k] = None
				}
				for k := range model.Future {
					w.Given[model.Past+k] = to + k
				}
				to -= j.Advance
			}
			if !yield(w) {
				return
			}
		}
		w := block(j, model, to-model.Current, from, to, true)
		for k := range model.Future {
			w.Given[model.Past+k] = to + k
		}
		yield(w)
	}, nil
}
