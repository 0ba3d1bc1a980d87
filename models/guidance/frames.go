package guidance

import "mcvd/configs"

// Frames is classifier-free guidance on the conditioning frames (Ho and Salimans 2022, eq. 6, whose w
// is the scale less 1).
// Training hides the past and the future at random, so the network has the branches without them.
// Two scales need three branches (Brooks et al. 2023, eq. 3):
//
//	x0 = D(none) + past_scale (D(past) - D(none)) + future_scale (D(past, future) - D(past))
//
// D(past) is what the network predicts if it sees the past alone. Branches without weight are not
// evaluated: if the scales are equal, two remain, and if both are 1 or both are 0, one.
type Frames struct {
	Past   float64 `yaml:"past_scale" range:"[0, 100]" doc:"How much the video follows the past frames: 1 is no guidance, 0 hides them, more than 1 exaggerates what they change."`
	Future float64 `yaml:"future_scale" range:"[0, 100]" doc:"The same for the future frames; if it is not set, the value of past_scale."`
	Adjust `yaml:",inline"`
}

// Complete gives the future the scale of the past.
func (g *Frames) Complete(c *configs.Config, isSet func(string) bool) {
	if c.Frames.Past == 0 && !isSet("past_scale") {
		g.Past = g.Future
	}
	if !isSet("future_scale") {
		g.Future = g.Past
	}
}

// branches of a model without past, or without future, are the same where they would differ in it, and
// are added up.
func (g Frames) branches(f configs.Frames) []branch {
	return []branch{
		{visible: everything(f), weight: g.Future},
		{visible: without(f, f.Past, false), weight: g.Past - g.Future},
		{visible: without(f, 0, false), weight: 1 - g.Past},
	}
}

// check wants frames to hide, and no scale for those that the model doesn't have.
func (g Frames) check(f configs.Frames) (p configs.Problems) {
	const no = "the model has no such frames"
	switch {
	case f.Past+f.Future == 0:
		p.Check(false, choicePath, "frames", "none, because the model has no past and no future frames", "frames.past", "frames.future")
	case f.Past == 0 && g.Past != g.Future:
		p.Unused(optionsPath+".past_scale", g.Past, no, "frames.past")
	case f.Future == 0 && g.Past != g.Future:
		p.Unused(optionsPath+".future_scale", g.Future, no, "frames.future")
	}
	return append(p, g.Adjust.check()...)
}
