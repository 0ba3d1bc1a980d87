package eval

import (
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Block generates the frames of one window. given has the frames of w.Given, and the zero F for a
// hidden slot, and behind them those of w.Among; it is valid only during the call. The result has
// exactly the frames of w.Make, including those that are dropped.
type Block[F any] func(w Window, given []F) ([]F, error)

// Rollout generates n frames window by window. past are the given frames up to frame -1, future
// those from frame n on; both may be empty.
//
// Each frame goes to emit with its number as soon as it is generated, exactly once. The order is
// that of the windows, and within a window that of its block. A frame is kept until the last window
// that needs it has run. So memory grows with how far windows look back, not with n; only a number
// is kept for every frame.
//
// Windows that can't be run are refused before the first one runs. windows is read twice, and must
// be the same both times. Errors of block are returned with the frames that were being generated,
// those of emit as they are. To stop early, return an error in either.
func Rollout[F any](windows iter.Seq[Window], past, future []F, n int, block Block[F], emit func(frame int, made F) error) error {
	given := map[int]F{}
	for i, f := range past {
		given[i-len(past)] = f
	}
	for i, f := range future {
		given[n+i] = f
	}
	return rollout(windows, given, n, block, emit)
}

// rollout is [Rollout] with given frames at any numbers. Those from 0 to n-1 are frames of the video
// that no window makes; they go to emit first.
func rollout[F any](windows iter.Seq[Window], given map[int]F, n int, block Block[F], emit func(frame int, made F) error) error {
	last, err := lastUses(windows, n, func(i int) bool { _, is := given[i]; return is })
	if err != nil {
		return err
	}
	held := maps.Clone(given)
	for _, i := range slices.Sorted(maps.Keys(given)) {
		if i >= 0 && i < n {
			if err := emit(i, given[i]); err != nil {
				return err
			}
		}
	}
	k := 0
	for w := range windows {
		seen := make([]F, 0, len(w.Given)+len(w.Among))
		for _, i := range slices.Concat(w.Given, w.Among) {
			seen = append(seen, held[i]) // nothing is held at None
		}
		made, err := block(w, seen)
		if err == nil && len(made) != len(w.Make) {
			err = fmt.Errorf("block of %d frames, want %d", len(made), len(w.Make))
		}
		if err != nil {
			return fmt.Errorf("window %d (%s of %d): %w", k+1, span(w), n, err)
		}
		for slot, i := range w.Make {
			if i == None {
				continue
			}
			if err := emit(i, made[slot]); err != nil {
				return err
			}
			held[i] = made[slot]
		}
		for _, frames := range [][]int{w.Given, w.Among, w.Make} {
			for _, i := range frames {
				if i >= 0 && i < n && int(last[i]) == k {
					delete(held, i)
				}
			}
		}
		k++
	}
	return nil
}

// lastUses goes through the windows. For each of the n frames it returns the last window that
// generates it or is given it, or -1 if it is given from the beginning.
func lastUses(windows iter.Seq[Window], n int, given func(int) bool) ([]int32, error) {
	last := make([]int32, n)
	for i := range last {
		last[i] = -1 // not generated yet
	}
	k := int32(0)
	for w := range windows {
		for _, i := range slices.Concat(w.Given, w.Among) {
			switch {
			case i == None || given(i):
			case i < 0 || i >= n || last[i] < 0:
				return nil, fmt.Errorf("window %d is given frame %d, which is not there yet", k+1, i)
			default:
				last[i] = k
			}
		}
		for _, i := range w.Make {
			switch {
			case i == None:
			case i < 0 || i >= n:
				return nil, fmt.Errorf("window %d makes frame %d, want 0 to %d", k+1, i, n-1)
			case given(i):
				return nil, fmt.Errorf("window %d makes frame %d, which is given", k+1, i)
			case last[i] >= 0:
				return nil, fmt.Errorf("window %d makes frame %d a second time", k+1, i)
			default:
				last[i] = k
			}
		}
		k++
	}
	for i, use := range last {
		if use < 0 && !given(i) {
			return nil, fmt.Errorf("no window makes frame %d of %d", i, n)
		}
	}
	return last, nil
}

// span says which frames of a window are kept.
func span(w Window) string {
	kept := slices.DeleteFunc(slices.Clone(w.Make), func(i int) bool { return i == None })
	if len(kept) == 0 {
		return "no frames"
	}
	return fmt.Sprintf("frames %d to %d", slices.Min(kept), slices.Max(kept))
}
