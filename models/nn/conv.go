package nn

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	mlnn "github.com/gomlx/gomlx/ml/nn"
)

// Conv is a convolution layer with a bias, stride 1, that keeps the size: x [B,H,W,C] ->
// [B,H,W,out]. kernel is 1 or 3, scale that of [FanAvg]. Parameters: w [kernel,kernel,C,out], b
// [out].
func (b *Builder) Conv(scope *model.Scope, x *Node, kernel, out int, scale float64) *Node {
	return b.ConvTo(scope, x, kernel, out, scale, nil)
}

// ConvTo is [HalfSum] of to and of a [Builder.Conv], or the convolution alone if to is nil.
func (b *Builder) ConvTo(scope *model.Scope, x *Node, kernel, out int, scale float64, to *Node) *Node {
	d := x.Shape().Dimensions
	w := Param(x.Graph(), scope, "w", FanAvg(scale, kernel*kernel*d[3], kernel*kernel*out), kernel, kernel, d[3], out)
	bias := Param(x.Graph(), scope, "b", Init{}, out)
	b.FLOPs += 2 * float64(d[0]*d[1]*d[2]) * float64(kernel*kernel*d[3]*out)
	return b.conv(scope, x, like(x, w), bias, to)
}

// conv is the formulation's convolution for a graph that trains the weights of scope, or doesn't.
func (b *Builder) conv(scope *model.Scope, x, w, bias, to *Node) *Node {
	if scope.IsTraining(x.Graph()) {
		return b.Formulation.Conv(x, w, bias, to)
	}
	return b.Formulation.Forward(x, w, bias, to)
}

// Convs is a [Builder.Conv] for each scope, all on the same x and of the same size, computed as one
// convolution.
func (b *Builder) Convs(scopes []*model.Scope, x *Node, kernel, out int, scale float64) []*Node {
	d := x.Shape().Dimensions
	var ws, biases []*Node
	for _, scope := range scopes {
		ws = append(ws, Param(x.Graph(), scope, "w", FanAvg(scale, kernel*kernel*d[3], kernel*kernel*out), kernel, kernel, d[3], out))
		biases = append(biases, Param(x.Graph(), scope, "b", Init{}, out))
	}
	b.FLOPs += 2 * float64(d[0]*d[1]*d[2]) * float64(kernel*kernel*d[3]*out*len(scopes))
	y := b.conv(scopes[0], x, like(x, Concatenate(ws, -1)), Concatenate(biases, -1), nil)
	outputs := make([]*Node, len(scopes))
	for i := range outputs {
		outputs[i] = Slice(y, AxisRange(), AxisRange(), AxisRange(), AxisRange(i*out, (i+1)*out))
	}
	return outputs
}

// Pointwise is a [Builder.Dense] for each pixel: x [B,H,W,C] -> [B,H,W,out], with the same parameters. If
// to is not nil, it is [HalfSum] of to and that.
func (b *Builder) Pointwise(scope *model.Scope, x *Node, out int, scale float64, to *Node) *Node {
	d := x.Shape().Dimensions
	w := Param(x.Graph(), scope, "w", FanAvg(scale, d[3], out), d[3], out)
	bias := Param(x.Graph(), scope, "b", Init{}, out)
	b.FLOPs += 2 * float64(d[0]*d[1]*d[2]) * float64(d[3]*out)
	return b.conv(scope, x, like(x, Reshape(w, 1, 1, d[3], out)), bias, to)
}

// Dense is a linear layer with a bias: x [N,C] -> [N,out]. Parameters: w [C,out], b [out].
func (b *Builder) Dense(scope *model.Scope, x *Node, out int, scale float64) *Node {
	n, c := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	w := Param(x.Graph(), scope, "w", FanAvg(scale, c, out), c, out)
	bias := Param(x.Graph(), scope, "b", Init{}, out)
	b.FLOPs += 2 * float64(n) * float64(c*out)
	return Add(Dot(x, like(x, w)).Product(), like(x, Reshape(bias, 1, out)))
}

func plainConv(x, w, bias, to *Node) *Node {
	return halfSumIf(to, Add(Convolve(x, w).PadSame().Done(), like(x, Reshape(bias, 1, 1, 1, -1))))
}

// goConv is im2col and one matrix product, which adds the bias, too.
func goConv(x, w, bias, to *Node) *Node {
	d, wd := x.Shape().Dimensions, w.Shape().Dimensions
	var columns *Node
	return halfSumIf(to, withGradient([]*Node{x, w, bias}, func(inputs []*Node) *Node {
		columns = im2col(inputs[0], wd[0])
		y := mlnn.Dense(columns, Reshape(inputs[1], -1, wd[3]), inputs[2], compute.DenseLayoutInputOutputs)
		return Reshape(y, d[0], d[1], d[2], wd[3])
	}, func(v *Node) []*Node { return goConvAdjoints(w, columns, v) }))
}

// goForward convolves by Winograd's method where that pays. Training has no use for it: the
// gradient of the weights needs the columns of im2col anyway.
func goForward(x, w, bias, to *Node) *Node {
	if !tilesOfFour.pays(x, w) {
		return goConv(x, w, bias, to)
	}
	return halfSumIf(to, withGradient([]*Node{x, w, bias}, func(inputs []*Node) *Node {
		return tilesOfFour.conv(inputs[0], inputs[1], inputs[2])
	}, func(v *Node) []*Node { return goConvAdjoints(w, im2col(x, 3), v) }))
}

// goConvAdjoints is the adjoints of the input, of w and of the bias for the adjoint v [B,H,W,O] of
// a convolution whose input has these columns. That of the input is the convolution of v with the
// flipped kernel, again by im2col. The gradient that GoMLX would derive scatters slices, which is
// slow.
func goConvAdjoints(w, columns, v *Node) []*Node {
	d, wd := v.Shape().Dimensions, w.Shape().Dimensions
	k, in, out := wd[0], wd[2], wd[3]
	flipped := Reshape(TransposeAllAxes(Reverse(w, 0, 1), 0, 1, 3, 2), k*k*out, in)
	dx := Reshape(Dot(im2col(v, k), flipped).Product(), d[0], d[1], d[2], in)
	// This computes [out, columns]. Two products give the weights' gradient; the one whose
	// contracted axis is last is the fast one.
	flat := Reshape(v, -1, out)
	dw := Transpose(Dot(transposed(flat), columns).Product(), 0, 1)
	return []*Node{dx, Reshape(dw, wd...), Reshape(channelSum(Reshape(flat, 1, -1, out)), out)}
}

// im2col returns the k x k neighbourhood of each pixel of x [B,H,W,C] as a row, [B*H*W, k*k*C],
// with zeros beyond the border; k is 1 or 3. Three neighbours in a row of the image lie side by
// side in memory.
func im2col(x *Node, k int) *Node {
	d := x.Shape().Dimensions
	batch, height, width, c := d[0], d[1], d[2], d[3]
	if k == 1 {
		return Reshape(x, -1, c)
	}
	padded := Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, PadAxis{Start: 1, End: 1}, PadAxis{Start: 1, End: 1})
	line := width + 2
	return Reshape(gatherRuns(padded, k, []int{batch, height, width, k}, (height+2)*line, line, 1, line), -1, k*k*c)
}

// gatherRuns returns runs of pixels of x [...,C], [N,length,C], one for each index of an array of
// the dimensions dims, of N places. A run begins at the sum of the index along each axis times the
// step of the axis, counted in pixels.
//
// The Go backend gathers runs by copying memory, where it would slice value by value.
func gatherRuns(x *Node, length int, dims []int, steps ...int) *Node {
	g, d := x.Graph(), x.Shape().Dimensions
	first := Zeros(g, shapes.Make(dtypes.Int32, dims...))
	for axis, step := range steps {
		first = Add(first, MulScalar(Iota(g, first.Shape(), axis), step))
	}
	return GatherSlices(Reshape(x, -1, d[len(d)-1]), []int{0}, Reshape(first, -1, 1), []int{length}, false)
}

// transposed transposes a matrix by a product with the identity. On the Go backend that is three
// times as fast as Transpose.
func transposed(x *Node) *Node {
	identity := DiagonalWithValue(Const(x.Graph(), float32(1)), x.Shape().Dimensions[1])
	return Einsum("ij,rj->ir", identity, x)
}
