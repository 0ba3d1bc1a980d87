package eval

import (
	"fmt"
	"slices"
)

// Block makes one block of current frames given the frames before and after it. Hidden frames are passed all the same;
// see says which to use. past and future are valid only during the call. It returns exactly current frames.
type Block[F any] func(past, future []F, see Task) ([]F, error)

// Rollout makes n frames with a model that makes current frames at a time: a window slides along the video, keeps
// advance frames of each block (1 to current) and sees in its past or future what was made before (MCVD, section 3).
//
// past and future are what the task starts from, as many frames as the model takes; frames that the task hides must be
// there all the same, as zeros. Of the tasks,
//
//   - [Predict] goes on from the past and never sees the future,
//   - [Generate] does the same, but its first window sees nothing,
//   - [Retrodict] is the mirror image of Predict: it goes backwards from the future and never sees the past,
//   - [Interpolate] fills a gap of n frames, n >= current, between past and future. While more than current frames are
//     missing, it predicts; the last block then ends at the future, and sees both sides. Where that block overlaps
//     frames that are there already, those stay.
//
// Each window's new frames go to emit, with the index of the first of them among the n, as soon as they are made: no
// frame is emitted twice, and memory doesn't grow with n. Indices increase; for Retrodict they decrease from window to
// window. Errors of block are wrapped with the window's frames, those of emit are returned as they are. To stop early,
// fail in either.
func Rollout[F any](task Task, past, future []F, n, current, advance int,
	block Block[F], emit func(at int, frames []F) error) error {
	if err := task.Check(n, current, advance); err != nil {
		return err
	}
	window := func(at int, past, future []F, see Task) ([]F, error) {
		frames, err := block(past, future, see)
		if err == nil && len(frames) != current {
			err = fmt.Errorf("block of %d frames, want %d", len(frames), current)
		}
		if err != nil {
			return nil, fmt.Errorf("%v: frames %d to %d of %d: %w", task, max(at, 0), min(at+current, n)-1, n, err)
		}
		return frames, nil
	}
	if task != Retrodict {
		return slide(task, past, future, n, current, advance, window, emit)
	}
	// Seen in a mirror, the future is a past and the block ends where it began.
	mirrored := func(at int, past, future []F, see Task) ([]F, error) {
		frames, err := window(n-at-current, reversed(future), reversed(past), Task{Past: see.Future, Future: see.Past})
		return reversed(frames), err
	}
	return slide(Predict, reversed(future), reversed(past), n, current, advance, mirrored, func(at int, frames []F) error {
		return emit(n-at-len(frames), reversed(frames))
	})
}

// Check reports numbers that [Rollout] can't work with.
func (t Task) Check(n, current, advance int) error {
	switch {
	case current < 1:
		return fmt.Errorf("%v: blocks of %d frames, want 1 or more", t, current)
	case n < 1:
		return fmt.Errorf("%v: %d frames, want 1 or more", t, n)
	case advance < 1 || advance > current:
		return fmt.Errorf("%v: advance %d frames a window, want 1 to %d, the frames of a block", t, advance, current)
	case t == Interpolate && n < current:
		return fmt.Errorf("%v: a gap of %d frames is shorter than the model's block, want %d or more", t, n, current)
	}
	return nil
}

// slide moves the window from left to right. The block of a window begins at frame at of the n.
func slide[F any](task Task, past, future []F, n, current, advance int,
	window func(at int, past, future []F, see Task) ([]F, error), emit func(at int, frames []F) error) error {
	before := slices.Clone(past) // the frames that end at made, enough of them for any window
	for made := 0; made < n; {
		at, keep, see := made, min(advance, n-made), task
		if task == Interpolate {
			if n-made <= current { // the last window: ends at the future, keeps all that is missing
				at, keep = n-current, n-made
			} else {
				see = Predict
			}
		}
		if task == Generate && made > 0 {
			see.Past = true // what was generated is visible from then on
		}
		overlap := made - at
		end := len(before) - overlap
		frames, err := window(at, before[end-len(past):end:end], future, see)
		if err != nil {
			return err
		}
		kept := frames[overlap : overlap+keep]
		if err := emit(made, kept); err != nil {
			return err
		}
		made += keep
		before = append(before, kept...)
		before = slices.Delete(before, 0, max(0, len(before)-len(past)-current))
	}
	return nil
}

// reversed is a copy in the opposite order.
func reversed[F any](frames []F) []F {
	out := slices.Clone(frames)
	slices.Reverse(out)
	return out
}
