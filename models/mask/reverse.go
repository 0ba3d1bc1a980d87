package mask

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/nn"
)

// DrawReversed draws the clips that are turned around in time before they are cut, each with
// probability f.Mask.Reverse: 1 for these and 0 for the others, [batch]. So what would have been the
// future of a clip conditions it as its past. It returns the next random state, and nil if no clip
// is ever turned around: then it draws nothing.
func DrawReversed(random nn.Random, batch int, f configs.Frames) (next nn.Random, reversed *Node) {
	if f.Mask.Reverse == 0 {
		return random, nil
	}
	next, u := random.Uniform(nn.F32(batch))
	return next, ConvertDType(LessThan(u, Scalar(u.Graph(), u.DType(), f.Mask.Reverse)), u.DType())
}

// TurnTimes is the times of the frames of turned clips: times, [batch, frames], run backwards where
// reversed, [batch], is 1, and their signs change, so that they still grow. Either may be nil.
func TurnTimes(times, reversed *Node) *Node {
	if times == nil || reversed == nil {
		return times
	}
	d := times.Shape().Dimensions
	turned := GreaterThan(Reshape(reversed, d[0], 1), ScalarZero(times.Graph(), reversed.DType()))
	return Where(BroadcastToDims(turned, d...), Neg(Reverse(times, 1)), times)
}

// Turn turns clips [batch, frames, ...] around in time where reversed, [batch], is 1. It gives clip
// itself if reversed is nil.
func Turn(clip, reversed *Node) *Node {
	if reversed == nil {
		return clip
	}
	ones := make([]int, clip.Rank())
	for i := range ones {
		ones[i] = 1
	}
	ones[0] = clip.Shape().Dimensions[0]
	turned := GreaterThan(Reshape(reversed, ones...), ScalarZero(clip.Graph(), reversed.DType()))
	return Where(BroadcastToDims(turned, clip.Shape().Dimensions...), Reverse(clip, 1), clip)
}
