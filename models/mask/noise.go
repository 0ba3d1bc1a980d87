package mask

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/nn"
)

// The noise level of a clip's past frames is a number from 0 (clean) to 1 (noise alone). It is the
// standard deviation of the noise, and doesn't depend on the schedule of the block:
//
//	sqrt(1 - level^2) past + level z

// DrawNoise draws the noise level of the past frames of each clip, [batch]: with probability
// f.Mask.Noised uniformly from [0, 1), otherwise 0. It also draws z, standard normal, of the shape of
// these frames. It returns the next random state, and nil if training adds no such noise: then it
// draws nothing.
func DrawNoise(random nn.Random, f configs.Frames, past []int) (next nn.Random, level, z *Node) {
	if f.Mask.Noised == 0 {
		return random, nil, nil
	}
	next, u := random.Uniform(nn.F32(past[0]))
	noisy := LessThan(u, Scalar(u.Graph(), u.DType(), f.Mask.Noised))
	next, level = next.Uniform(nn.F32(past[0]))
	next, z = next.Normal(nn.F32(past...))
	return next, Where(noisy, level, ZerosLike(level)), z
}

// AddNoise adds noise z to past frames, [batch, frames, height, width, channels], at the level of each
// clip, [batch] in [0, 1]. Level 0 changes no bit.
func AddNoise(past, z, level *Node) *Node {
	level = Reshape(level, -1, 1, 1, 1, 1)
	noisy := Add(Mul(Sqrt(OneMinus(Square(level))), past), Mul(level, z))
	clean := BroadcastToDims(LessOrEqual(level, ZerosLike(level)), past.Shape().Dimensions...)
	return Where(clean, past, noisy)
}

// ToldNoise is the level that the network is told of each clip, [batch]: that of its past frames, or
// 0 if all of them are hidden. past is [batch, frames], which of them are visible.
func ToldNoise(level, past *Node) *Node {
	seen := GreaterThan(ReduceMax(past, 1), ScalarZero(past.Graph(), past.DType()))
	return Where(seen, level, ZerosLike(level))
}
