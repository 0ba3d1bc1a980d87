// Package mask decides which conditioning frames are visible.
package mask

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/nn"
)

// Nodes says for each clip of a batch whether its past and its future are visible: [batch] float32, 1 = visible, 0 = hidden.
type Nodes struct{ Past, Future *Node }

// Draw draws what training sees: the past of a clip is hidden with probability m.Past, its future with probability
// m.Future, by one draw or by one each (MCVD, section 3.2). It returns the next random state.
func Draw(random *Node, batch int, m configs.Mask) (next *Node, visible Nodes) {
	shape := nn.F32(batch)
	next, u := RandomUniform(random, shape)
	visible.Past = atLeast(u, m.Past)
	if !m.Together {
		next, u = RandomUniform(next, shape)
	}
	visible.Future = atLeast(u, m.Future)
	return next, visible
}

// atLeast is 1 where u, uniform in [0, 1), is at least p, else 0.
func atLeast(u *Node, p float64) *Node {
	return ConvertDType(GreaterOrEqual(u, Scalar(u.Graph(), u.DType(), p)), u.DType())
}

// Hide returns frames [batch, frames, height, width, channels] with the hidden clips, visible [batch] = 0, replaced by
// zeros. They are replaced, not multiplied: whatever a hidden frame holds, even NaN, can't reach the network.
func Hide(frames, visible *Node) *Node {
	seen := GreaterThan(Reshape(visible, -1, 1, 1, 1, 1), ScalarZero(frames.Graph(), visible.DType()))
	return Where(BroadcastToDims(seen, frames.Shape().Dimensions...), frames, ZerosLike(frames))
}
