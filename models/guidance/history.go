package guidance

import (
	"fmt"
	"slices"

	"mcvd/configs"
)

// History is history guidance (Song et al. 2025, History-Guided Video Diffusion, section 5): the past
// frames are the history, and subsequences of it, the last frames of several lengths, have scales of
// their own.
//
//	x0 = D(past) + (scale - 1) (D(noised past) - D(none)) + sum_i (scales_i - 1) (D(last lengths_i) - D(none))
//
// Without lengths this is vanilla history guidance, with them temporal history guidance. In the
// paper's notation the weights are scale for the whole history, and scales_i - 1 for the others.
// With a noise level for the noised past, it is fractional history guidance: see [Noised]. Future
// frames stay as they are.
type History struct {
	Scale   float64   `yaml:"scale" range:"[0, 100]" doc:"How much the video follows the whole past: 1 is no guidance, 0 hides it, more than 1 exaggerates what it changes."`
	Lengths []int     `yaml:"lengths" range:"[1, 1024]" doc:"Subsequences of the past that have scales of their own: for each the number of its frames, the last ones of the past. None is vanilla history guidance."`
	Scales  []float64 `yaml:"scales" range:"[0, 100]" doc:"The scales of these subsequences, 1 for none."`
	Noised  `yaml:",inline"`
	Adjust  `yaml:",inline"`
}

func (g History) branches(f configs.Frames) []branch {
	sum := []branch{{visible: everything(f), weight: g.Scale}}
	if g.Noise > 0 {
		sum = []branch{{visible: everything(f), weight: 1}, {visible: everything(f), weight: g.Scale - 1, noise: g.Noise}}
	}
	none := 1 - g.Scale
	for i, n := range g.Lengths {
		sum = append(sum, branch{visible: without(f, n, true), weight: g.Scales[i] - 1})
		none -= g.Scales[i] - 1
	}
	return append(sum, branch{visible: without(f, 0, true), weight: none})
}

// check wants a past, and a scale for each subsequence of it.
func (g History) check(f configs.Frames) (p configs.Problems) {
	p.Check(f.Past > 0, choicePath, "history", "another, because the model has no past frames", "frames.past")
	p.Check(len(g.Lengths) == len(g.Scales), optionsPath+".scales", g.Scales, fmt.Sprintf("one for each of lengths, which are %v", g.Lengths), optionsPath+".lengths")
	for i, n := range g.Lengths {
		path := fmt.Sprintf("%s.lengths[%d]", optionsPath, i)
		p.Check(n < f.Past, path, n, fmt.Sprintf("less than frames.past, which is %d", f.Past), "frames.past")
		p.Check(!slices.Contains(g.Lengths[:i], n), path, n, "each length once")
	}
	if g.Noise > 0 && g.Scale == 1 {
		p.Unused(optionsPath+".noise", g.Noise, optionsPath+".scale is 1", optionsPath+".scale")
	}
	return append(p, g.Adjust.check()...)
}
