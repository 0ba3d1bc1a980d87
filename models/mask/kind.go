package mask

import (
	"cmp"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/nn"
)

// kind is which of the n conditioning frames of a clip are visible, beside the past or the future
// being hidden as a whole.
type kind interface {
	// draw draws a mask of 0 and 1 for each clip, [batch, n], n 1 or more. It returns the next random
	// state.
	draw(random nn.Random, batch, n int) (next nn.Random, visible *Node)
	// shows says whether it may draw a mask that agrees with want, n signs of 0, 1 or [free].
	shows(want []int) bool
}

// free stands for a frame of which it doesn't matter whether it is visible.
const free = -1

// kinds are the values of frames.mask.kind. A clip's frames are in the order of time.
var kinds = map[string]kind{
	"blocks": listed(all),
	"frames": each{},
	"first":  listed(first),
	"last":   listed(last),
	"ends":   listed(ends),
	"key":    listed(key),
}

// Kinds lists the kinds of masks.
func Kinds() []string { return configs.Names(kinds) }

// Tables are the tables of this package. Kinds have no options.
func Tables() []configs.Table {
	return []configs.Table{configs.TableOf("frames.mask.kind", "model.options", kinds)}
}

// kindOf is the kind of the experiment's masks; an experiment that names none hides blocks.
func kindOf(f configs.Frames) kind {
	k, err := configs.Pick(kinds, "frames.mask.kind", cmp.Or(f.Mask.Kind, "blocks"))
	if err != nil {
		panic(err) // loading has checked the name
	}
	return k
}

// each shows each frame by itself, with a probability of one half.
type each struct{}

func (each) draw(random nn.Random, batch, n int) (next nn.Random, visible *Node) {
	next, u := random.Uniform(nn.F32(batch, n))
	return next, atLeast(u, 0.5)
}

func (each) shows([]int) bool { return true }

// listed draws one of the masks that it lists for n frames, each as often.
type listed func(n int) [][]float32

func (l listed) draw(random nn.Random, batch, n int) (next nn.Random, visible *Node) {
	masks := l(n)
	g := random.State.Graph()
	if len(masks) == 1 {
		return random, BroadcastToDims(Const(g, masks), batch, n)
	}
	next, u := random.Uniform(nn.F32(batch, 1))
	// Mask i is for u in [i, i+1) / len(masks).
	var from, to []float32
	for i := range masks {
		from, to = append(from, float32(i)/float32(len(masks))), append(to, float32(i+1)/float32(len(masks)))
	}
	row := func(bounds []float32) *Node { return BroadcastToDims(Const(g, [][]float32{bounds}), batch, len(masks)) }
	u = BroadcastToDims(u, batch, len(masks))
	chosen := LogicalAnd(GreaterOrEqual(u, row(from)), LessThan(u, row(to)))
	return next, Dot(ConvertDType(chosen, u.DType()), Const(g, masks)).Product()
}

func (l listed) shows(want []int) bool {
	for _, mask := range l(len(want)) {
		agrees := true
		for i, w := range want {
			agrees = agrees && (w == free || float32(w) == mask[i])
		}
		if agrees {
			return true
		}
	}
	return false
}

// where lists the masks of n frames for k = 1 to most, in which frame i is visible if show says so.
func where(n, most int, show func(i, k int) bool) [][]float32 {
	var masks [][]float32
	for k := 1; k <= most; k++ {
		mask := make([]float32, n)
		for i := range mask {
			if show(i, k) {
				mask[i] = 1
			}
		}
		masks = append(masks, mask)
	}
	return masks
}

// all shows every frame, so that only blocks are hidden.
func all(n int) [][]float32 { return where(n, 1, func(i, k int) bool { return true }) }

// first shows the first k frames, k from 1 to n.
func first(n int) [][]float32 { return where(n, n, func(i, k int) bool { return i < k }) }

// last shows the last k frames, k from 1 to n.
func last(n int) [][]float32 { return where(n, n, func(i, k int) bool { return i >= n-k }) }

// ends shows the first k frames and the last k, k from 1 to half of n, rounded up.
func ends(n int) [][]float32 {
	return where(n, (n+1)/2, func(i, k int) bool { return i < k || i >= n-k })
}

// key shows one frame.
func key(n int) [][]float32 { return where(n, n, func(i, k int) bool { return i == k-1 }) }
