package sampler

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// Lag lets the frames of a block follow each other through the steps: the pyramid of Diffusion Forcing
// (Chen et al. 2024). In turn m, frame k makes step m - k Turns. So the first frames are
// clean while the last are still noise, and each is predicted from frames that are cleaner than it.
type Lag struct {
	// Turns is by how many turns a frame is behind the one before it. With 0, all frames make the same
	// step in each turn.
	Turns int
	// Rest is the level that the network is told of frames that have made all steps.
	Rest diffusion.Level
}

// NewLag is the lag that the configuration describes. No level is told for clean frames, so the network
// is told the schedule's least noisy one. A sampler that evaluates the network several times in a step
// is an error, because frames in other steps are not at these levels.
func NewLag(s Sampler, schedule diffusion.Schedule, c configs.Sampler) (Lag, error) {
	lag := Lag{c.FrameLag, schedule.Level(tiny)}
	if lag.Turns == 0 {
		return lag, nil
	}
	levels := []diffusion.Level{schedule.Level(1), schedule.Level(0.8), schedule.Level(0.6), schedule.Level(0.4), diffusion.Clean}
	for _, step := range s.Steps(levels, schedule) {
		if len(step.At) != 1 {
			return lag, configs.Problem{Path: "sampler.frame_lag", Also: []string{"sampler.name"}, Text: fmt.Sprintf(
				"%d, want 0, because %s evaluates the network %d times in a step; ddim, ddpm, euler and dpmpp_2m do it once", lag.Turns, c.Name, len(step.At))}
		}
	}
	return lag, nil
}

// NFE is the number of network evaluations, and of turns, that a block of so many frames takes.
func (l Lag) NFE(steps []Step, frames int) int { return NFE(steps) + (frames-1)*l.Turns }

// turns is the number of turns for the steps.
func (l Lag) turns(steps []Step, frames int) int { return len(steps) + (frames-1)*l.Turns }

// step is the step that a frame makes in a turn. moves is false before its first step and after its
// last; then step is the one that is next to the turn.
func (l Lag) step(steps []Step, turn, frame int) (step int, moves bool) {
	at := turn - frame*l.Turns
	step = max(0, min(at, len(steps)-1))
	return step, step == at
}

// noisy says whether any frame is noisy after a turn that it moves in.
func (l Lag) noisy(steps []Step, turn, frames int) bool {
	for frame := range frames {
		if step, moves := l.step(steps, turn, frame); moves && steps[step].To.Noise > 0 {
			return true
		}
	}
	return false
}

// hold is made for the frames that move in a turn, and before for the others. moves is 1 or 0 for each
// frame, [1, frames, 1, 1, 1].
func hold(moves, made, before *Node) *Node {
	moves = BroadcastToDims(moves, made.Shape().Dimensions...)
	return Where(GreaterThan(moves, ZerosLike(moves)), made, before)
}
