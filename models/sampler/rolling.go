package sampler

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
)

// CheckRolling reports a lag with which a block can't roll on by that many frames at a time. The new
// frames at its end must still be pure noise, before their first step.
func (l Lag) CheckRolling(steps []Step, frames, by int) error {
	if least := (len(steps) + frames - by) / (frames - by + 1); l.Turns < least {
		return fmt.Errorf("sampler.frame_lag: %d, want %d or more, so that %d steps fit into a block of %d (frames.current) that moves on by %d", l.Turns, least, len(steps), frames, by)
	}
	return nil
}

// Rolled is the turns, from from to to (exclusive), after which the first frames of a block are clean:
// as many as it moves on by. A block that was moved begins where the first of its frames has the steps
// of one lag to make.
func (l Lag) Rolled(steps []Step, by int, moved bool) (from, to int) {
	if moved {
		from = max(0, len(steps)-l.Turns)
	}
	return from, len(steps) + (by-1)*l.Turns
}

// Rolling is a block in the middle of its steps: x, and behind it what the sampler and the denoiser
// remember. All are shaped like x, [batch, frames, height, width, channels].
type Rolling []*tensors.Tensor

// Move returns the block that has moved on by that many frames. The new ones at its end are those of x,
// and nothing is remembered of them yet.
func (r Rolling) Move(by int, x *tensors.Tensor) (Rolling, error) {
	moved := make(Rolling, len(r))
	for i, old := range r {
		dims := old.Shape().Dimensions
		fresh := x
		if i > 0 {
			fresh = tensors.FromShape(old.Shape())
		}
		values, err := tensors.CopyFlatData[float32](fresh)
		if err != nil {
			return nil, err
		}
		clip := len(values) / dims[0]
		gone := clip / dims[1] * by
		err = tensors.ConstFlatData(old, func(before []float32) {
			for at := 0; at < len(values); at += clip {
				copy(values[at:at+clip-gone], before[at+gone:at+clip])
			}
		})
		if err != nil {
			return nil, err
		}
		moved[i] = tensors.FromFlatDataAndDimensions(values, dims...)
	}
	return moved, nil
}
