// Package mask decides which conditioning frames are visible.
//
// A mask is [batch, past+future] float32. For each conditioning frame of each clip it has 1 if the
// frame is visible and 0 if it is hidden, the past's frames first. It is nil if there are no
// conditioning frames. Training hides the past or the future of a clip as a whole, and by
// frames.mask.kind also single frames; a mask can hide any frames.
package mask

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/nn"
)

// Draw draws what training sees: the past of a clip is hidden with probability f.Mask.Past, its
// future with probability f.Mask.Future, by one draw or by one each (MCVD, section 3.2). Of the
// frames that are left, those are visible that f.Mask.Kind draws. It returns the next random state.
func Draw(random nn.Random, batch int, f configs.Frames) (next nn.Random, visible *Node) {
	shape := nn.F32(batch)
	next, u := random.Uniform(shape)
	past := atLeast(u, f.Mask.Past)
	if !f.Mask.Together {
		next, u = next.Uniform(shape)
	}
	blocks := Blocks(past, atLeast(u, f.Mask.Future), f)
	if blocks == nil {
		return next, nil
	}
	next, visible = kindOf(f).draw(next, batch, f.Past+f.Future)
	return next, Mul(blocks, visible)
}

// Seen says whether [Draw] may draw a mask; visible has a sign for each conditioning frame, the
// past's first.
func Seen(visible []bool, f configs.Frames) bool {
	if len(visible) == 0 {
		return true
	}
	can := func(hidden bool, frames int, p float64) bool {
		return hidden && frames > 0 && p > 0 || !hidden && (frames == 0 || p < 1)
	}
	for _, pastHidden := range []bool{false, true} {
		for _, futureHidden := range []bool{false, true} {
			if !can(pastHidden, f.Past, f.Mask.Past) || !can(futureHidden, f.Future, f.Mask.Future) || f.Mask.Together && pastHidden != futureHidden {
				continue
			}
			if agrees(visible, f, pastHidden, futureHidden) {
				return true
			}
		}
	}
	return false
}

// agrees says whether a mask may be drawn when these blocks are hidden.
func agrees(visible []bool, f configs.Frames, pastHidden, futureHidden bool) bool {
	want := make([]int, len(visible))
	for i, v := range visible {
		switch hidden := i < f.Past && pastHidden || i >= f.Past && futureHidden; {
		case hidden && v:
			return false
		case hidden:
			want[i] = free
		case v:
			want[i] = 1
		}
	}
	return kindOf(f).shows(want)
}

// atLeast is 1 where u, uniform in [0, 1), is at least p, else 0.
func atLeast(u *Node, p float64) *Node {
	return ConvertDType(GreaterOrEqual(u, Scalar(u.Graph(), u.DType(), p)), u.DType())
}

// Blocks is the mask of clips whose past and future, each [batch], are visible or hidden as a
// whole.
func Blocks(past, future *Node, f configs.Frames) *Node {
	var parts []*Node
	for _, block := range []struct {
		visible *Node
		frames  int
	}{{past, f.Past}, {future, f.Future}} {
		if block.frames > 0 {
			batch := block.visible.Shape().Dimensions[0]
			parts = append(parts, BroadcastToDims(Reshape(block.visible, batch, 1), batch, block.frames))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return Concatenate(parts, 1)
}

// Apart divides a mask into that of the past's frames and that of the future's, which are nil if
// there are none.
func Apart(visible *Node, f configs.Frames) (past, future *Node) {
	if f.Past > 0 {
		past = Slice(visible, AxisRange(), AxisRange(0, f.Past))
	}
	if f.Future > 0 {
		future = Slice(visible, AxisRange(), AxisRange(f.Past, f.Past+f.Future))
	}
	return past, future
}

// Hide returns frames [batch, frames, height, width, channels] in which hidden ones are zeros;
// visible is [batch, frames], 0 for hidden. Hidden frames are replaced, not multiplied by 0, so
// that nothing of them, not even NaN, reaches the network.
func Hide(frames, visible *Node) *Node {
	d := visible.Shape().Dimensions
	seen := GreaterThan(Reshape(visible, d[0], d[1], 1, 1, 1), ScalarZero(frames.Graph(), visible.DType()))
	return Where(BroadcastToDims(seen, frames.Shape().Dimensions...), frames, ZerosLike(frames))
}
