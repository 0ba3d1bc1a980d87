package diffusion

import (
	"math/rand/v2"
	"slices"

	"mcvd/configs"
)

// FrameLevelsPath is where the choice of levels for the frames of a clip stands.
const FrameLevelsPath = "diffusion.frame_levels"

// frameSpread draws levels for the frames of a batch of clips, clip by clip. draw draws a level for
// each clip.
type frameSpread func(rng *rand.Rand, draw func() []Level, frames int) []Level

// frameSpreads are the values of diffusion.frame_levels. With equal, the frames of a clip share a
// level.
var frameSpreads = map[string]frameSpread{
	"equal":       nil,
	"independent": eachFrame,
	"monotone":    monotone,
}

// FrameSpreads lists the ways of drawing levels for the frames of a clip.
func FrameSpreads() []string { return configs.Names(frameSpreads) }

// LevelPerFrame says whether training draws a level for each frame of a clip.
func (p *Process) LevelPerFrame() bool { return p.frames != nil }

// eachFrame draws the levels of a frame for the whole batch and deals them to the clips at random. So
// the levels of a clip don't depend on each other, and those of one frame are spread over the batch
// as diffusion.levels says (Chen et al. 2024, Diffusion Forcing, algorithm 1).
func eachFrame(rng *rand.Rand, draw func() []Level, frames int) []Level {
	var levels []Level
	for frame := range frames {
		column := draw()
		if frame == 0 {
			levels = make([]Level, len(column)*frames)
		}
		rng.Shuffle(len(column), func(i, j int) { column[i], column[j] = column[j], column[i] })
		for clip, l := range column {
			levels[clip*frames+frame] = l
		}
	}
	return levels
}

// monotone sorts the independent levels of each clip: no frame has less noise than the one before it,
// as in videos that are generated with a lag between frames.
func monotone(rng *rand.Rand, draw func() []Level, frames int) []Level {
	levels := eachFrame(rng, draw, frames)
	for clip := range slices.Chunk(levels, frames) {
		slices.SortStableFunc(clip, func(a, b Level) int {
			switch x, y := a.Sigma(), b.Sigma(); {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
	}
	return levels
}
