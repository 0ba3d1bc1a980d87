package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Random draws random numbers for the clips of a batch. A graph may have a part of the batch only: what
// is drawn for a clip is the same whatever else is in the graph. The zero value draws nothing.
type Random struct {
	// State is what GoMLX draws from, [3]uint64. Each draw returns the next one.
	State *Node
	// From is the first clip of the graph in a batch of Batch clips; Batch is 0 if the graph has them all.
	From, Batch int
}

// Uniform draws numbers in [0, 1). The first axis is the clips of the graph.
func (r Random) Uniform(shape shapes.Shape) (next Random, u *Node) {
	n, whole := shape.Dimensions[0], shape.Clone()
	if r.Batch > 0 {
		whole.Dimensions[0] = r.Batch
	}
	before := r.From * shape.Size() / n
	switch {
	case whole.Dimensions[0] == n:
		r.State, u = RandomUniform(r.State, shape)
	case r.State.Graph().Backend().String() != "go" && before%perCount == 0 && shape.DType.Size() <= dtypes.Uint32.Size():
		_, u = RandomUniform(ahead(r.State, before/perCount), shape)
		r.State = ahead(r.State, (whole.Size()+perCount-1)/perCount)
	default:
		r.State, u = RandomUniform(r.State, whole)
		u = Slice(u, AxisRange(r.From, r.From+n))
	}
	return r, u
}

// Normal draws standard normal numbers. The first axis is the clips of the graph.
func (r Random) Normal(shape shapes.Shape) (next Random, z *Node) {
	if r.Batch == 0 {
		r.State, z = RandomNormal(r.State, shape)
		return r, z
	}
	next, u := r.Uniform(shape)
	next, v := next.Uniform(shape)
	u = Max(u, Const(u.Graph(), shape.DType.SmallestNonZeroValueForDType()))
	return next, Mul(Sqrt(MulScalar(Log(u), -2)), Cos(MulScalar(v, 2*math.Pi))) // as RandomNormal does it (Box and Muller)
}

// perCount is how many numbers of 32 bits XLA draws before it counts on.
const perCount = 4

// ahead is the state of XLA's generator when it has counted on. It is Philox (Salmon et al. 2011): the first
// word of the state is a key, and the others are a number of 128 bits that counts, the lower word first. So
// the numbers of a part are drawn without those before it.
func ahead(state *Node, counts int) *Node {
	word := func(i int) *Node { return Slice(state, AxisRange(i, i+1)) }
	low := Add(word(1), Const(state.Graph(), []uint64{uint64(counts)}))
	carry := ConvertDType(LessThan(low, word(1)), dtypes.Uint64)
	return Concatenate([]*Node{word(0), low, Add(word(2), carry)}, 0)
}

// part is what draws for n clips from number from on, of the batch clips that r draws for.
func (r Random) part(from, n, batch int) Random {
	if n == batch {
		return r
	}
	if r.Batch == 0 {
		r.Batch = batch
	}
	r.From += from
	return r
}
