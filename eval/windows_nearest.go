package eval

import (
	"iter"

	"mcvd/configs"
)

// NearestWindows is the schedule whose windows see the nearest frames on both sides.
const NearestWindows = "nearest"

// nearest fills gaps as [around] does, but gives each window the nearest frames that exist before
// and after its block, however far away they are. So a window sees where the video is going from
// the first one on, and the network must be told the times of frames (Harvey et al. 2022). Without
// a gap, which has an end on its right, it is autoregressive.
func nearest(j Job, model configs.Frames) (iter.Seq[Window], error) {
	return fillGaps(j, model, func(t *there, at, from, to int) Window {
		w := t.consecutive(model, at, from, to)
		w.Given = append(t.before(at, model.Past), t.after(at+model.Current-1, model.Future)...)
		return w
	}), nil
}
