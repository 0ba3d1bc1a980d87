// Package nn has the blocks that networks are made of: convolution, norms, attention, resampling,
// embeddings, dropout.
//
// Images are [batch, height, width, channels]. Functions whose names don't end in Error panic on
// wrong shapes while a graph is built; the executor turns such a panic into an error.
package nn

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Builder builds the blocks of one network in one graph.
//
// What a block computes does not depend on the backend, but how it is computed does: see
// [Formulation].
type Builder struct {
	Formulation

	// Random is what dropout draws from; without a state there is no dropout, as in sampling and
	// validation. Each draw replaces it by the next one.
	Random Random

	// Compute is the type in which a network computes its images, float32 if it is not set. The
	// output of a block has the type of its input image. Parameters stay float32 and are converted
	// where they are used. Statistics of norms, softmax, and the embedding of the timestep are
	// always float32.
	Compute dtypes.DType

	// Checkpointing makes [Builder.Recompute] save memory at the cost of time, for a graph with a
	// backward pass.
	Checkpointing bool

	// FLOPs counts the floating-point operations of the forward pass, 2 for each multiply-add, of
	// convolutions, dense layers and attention.
	FLOPs float64

	// Trace, if set, sees the output of each named layer of the network in the order in which they
	// are built.
	Trace func(layer string, y *Node)
}

// NewBuilder returns a Builder with the formulation that is fastest on the backend.
func NewBuilder(b compute.Backend) *Builder {
	if b.String() == "go" {
		return &Builder{Formulation: Go}
	}
	return &Builder{Formulation: XLA}
}

// Precision is the type of that name, float32 or bfloat16; "" is float32. The Go backend computes
// in float32 only.
func Precision(b compute.Backend, name string) (dtypes.DType, error) {
	dtype, ok := map[string]dtypes.DType{"": dtypes.Float32, "float32": dtypes.Float32, "bfloat16": dtypes.BFloat16}[name]
	switch {
	case !ok:
		return dtype, fmt.Errorf("precision %q: want float32 or bfloat16", name)
	case dtype == dtypes.BFloat16 && b.String() == "go":
		return dtype, errors.New("precision bfloat16: the Go backend computes in float32; use XLA, such as --backend xla-cpu")
	}
	return dtype, nil
}

// Image converts an image to the network's type.
func (b *Builder) Image(x *Node) *Node {
	if b.Compute == dtypes.InvalidDType {
		return x
	}
	return ConvertDType(x, b.Compute)
}

// Layer reports y to Trace and returns it.
func (b *Builder) Layer(name string, y *Node) *Node {
	if b.Trace != nil {
		b.Trace(name, y)
	}
	return y
}

// Formulation holds the operations whose speed depends on the backend. All formulations compute the
// same function and the same gradients; a test compares them with [Plain].
type Formulation struct {
	// Conv is a convolution with stride 1 that keeps the size: x [B,H,W,C], w [k,k,C,O] with k 1 or
	// 3, bias [O]. If to [B,H,W,O] is not nil, it is [HalfSum] of that and to.
	Conv func(x, w, bias, to *Node) *Node
	// Forward is Conv for graphs that train no weights. It has the same gradients, but they may take
	// more time.
	Forward func(x, w, bias, to *Node) *Node
	// Norm is group normalization, then times scale, plus shift, each [B,C] or nil: x [B,H,W,C];
	// then SiLU, if asked for.
	Norm func(x, scale, shift *Node, groups int, epsilon float64, silu bool) *Node
	// SpatialNorm is group normalization, then times gain, plus bias, both shaped like x [B,H,W,C];
	// then as in Norm.
	SpatialNorm func(x, gain, bias, scale, shift *Node, groups int, epsilon float64, silu bool) *Node
	// Attend is, for each pixel and head, the sum of v of all pixels, weighed by the softmax of q k /
	// sqrt(D): q, k and v [B,P,heads,D].
	Attend func(q, k, v *Node) *Node
	// SiLU is x times the logistic function of x.
	SiLU func(x *Node) *Node
	// Resample doubles (up) or halves height and width with the FIR filter [1,3,3,1].
	Resample func(x *Node, up bool) *Node
	// Split is the number of parts into which a batch is cut. The parts run side by side, so with 2
	// the operations that use one core overlap.
	Split int
}

// Plain is the formulation in GoMLX's own operations, with the gradients that GoMLX derives. The
// others are compared with it.
var Plain = Formulation{Conv: plainConv, Forward: plainConv, Norm: plainNorm, SpatialNorm: plainSpatialNorm, Attend: plainAttend, SiLU: plainSiLU, Resample: plainResample, Split: 1}

// Go is the formulation for the pure-Go backend, where matrix products are fast and everything else
// runs on one core. Convolutions are im2col or Winograd's, with hand-written gradients; sums and
// broadcasts are products with ones. It takes 1/30 of Plain's time.
var Go = Formulation{Conv: goConv, Forward: goForward, Norm: goNorm, SpatialNorm: goSpatialNorm, Attend: plainAttend, SiLU: goSiLU, Resample: goResample, Split: 2}

// InParts calls f on each of the parts into which the formulation cuts a batch, and joins the
// results. All inputs have the batch as their first axis. f also gets the number of the part. A
// batch that can't be divided is not cut.
func (b *Builder) InParts(inputs []*Node, f func(number int, inputs []*Node) *Node) *Node {
	batch := inputs[0].Shape().Dimensions[0]
	if b.Split <= 1 || batch%b.Split != 0 {
		return f(0, inputs)
	}
	size := batch / b.Split
	outputs := make([]*Node, b.Split)
	random := b.Random
	for i := range outputs {
		b.Random = random.part(i*size, size, batch) // all from the same state
		part := make([]*Node, len(inputs))
		for j, x := range inputs {
			part[j] = Slice(x, AxisRange(i*size, (i+1)*size))
		}
		outputs[i] = f(i, part)
	}
	b.Random.From, b.Random.Batch = random.From, random.Batch
	return Concatenate(outputs, 0)
}
