// Package mask decides which conditioning frames are visible.
//
// A mask is [batch, past+future] float32: for each conditioning frame of each clip 1 if it is
// visible and 0 if it is hidden, the past's frames first. It is nil where there are no conditioning
// frames. Training hides whole blocks, the past or the future of a clip; a mask can say any other
// pattern.
package mask

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/nn"
)

// Draw draws what training sees: the past of a clip is hidden with probability f.Mask.Past, its
// future with probability f.Mask.Future, by one draw or by one each (MCVD, section 3.2). It returns
// the next random state.
func Draw(random *Node, batch int, f configs.Frames) (next, visible *Node) {
	shape := nn.F32(batch)
	next, u := RandomUniform(random, shape)
	past := atLeast(u, f.Mask.Past)
	if !f.Mask.Together {
		next, u = RandomUniform(next, shape)
	}
	return next, Blocks(past, atLeast(u, f.Mask.Future), f)
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

// Apart takes a mask apart: which of the past's and which of the future's frames are visible, nil
// where there are none.
func Apart(visible *Node, f configs.Frames) (past, future *Node) {
	if f.Past > 0 {
		past = Slice(visible, AxisRange(), AxisRange(0, f.Past))
	}
	if f.Future > 0 {
		future = Slice(visible, AxisRange(), AxisRange(f.Past, f.Past+f.Future))
	}
	return past, future
}

// Hide returns frames [batch, frames, height, width, channels] with the hidden ones, visible
// [batch, frames] = 0, replaced by zeros. They are replaced, not multiplied: whatever a hidden
// frame holds, even NaN, can't reach the network.
func Hide(frames, visible *Node) *Node {
	d := visible.Shape().Dimensions
	seen := GreaterThan(Reshape(visible, d[0], d[1], 1, 1, 1), ScalarZero(frames.Graph(), visible.DType()))
	return Where(BroadcastToDims(seen, frames.Shape().Dimensions...), frames, ZerosLike(frames))
}
