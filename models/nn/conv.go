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
	d := x.Shape().Dimensions
	w := Param(x.Graph(), scope, "w", FanAvg(scale, kernel*kernel*d[3], kernel*kernel*out), kernel, kernel, d[3], out)
	bias := Param(x.Graph(), scope, "b", Init{}, out)
	b.FLOPs += 2 * float64(d[0]*d[1]*d[2]) * float64(kernel*kernel*d[3]*out)
	return b.Formulation.Conv(x, like(x, w), bias)
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
	y := b.Formulation.Conv(x, like(x, Concatenate(ws, -1)), Concatenate(biases, -1))
	outputs := make([]*Node, len(scopes))
	for i := range outputs {
		outputs[i] = Slice(y, AxisRange(), AxisRange(), AxisRange(), AxisRange(i*out, (i+1)*out))
	}
	return outputs
}

// Dense is a linear layer with a bias: x [N,C] -> [N,out]. Parameters: w [C,out], b [out].
func (b *Builder) Dense(scope *model.Scope, x *Node, out int, scale float64) *Node {
	n, c := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	w := Param(x.Graph(), scope, "w", FanAvg(scale, c, out), c, out)
	bias := Param(x.Graph(), scope, "b", Init{}, out)
	b.FLOPs += 2 * float64(n) * float64(c*out)
	return Add(Dot(x, like(x, w)).Product(), like(x, Reshape(bias, 1, out)))
}

func plainConv(x, w, bias *Node) *Node {
	return Add(Convolve(x, w).PadSame().Done(), like(x, Reshape(bias, 1, 1, 1, -1)))
}

// goConv is im2col and one matrix product, which adds the bias, too. The gradient of the input is the
// convolution of the adjoint with the flipped kernel, again by im2col. The gradient that GoMLX would
// derive scatters slices, which is slow.
func goConv(x, w, bias *Node) *Node {
	d, wd := x.Shape().Dimensions, w.Shape().Dimensions
	k, in, out := wd[0], wd[2], wd[3]
	var columns *Node
	return withGradient([]*Node{x, w, bias}, func(inputs []*Node) *Node {
		columns = im2col(inputs[0], k)
		y := mlnn.Dense(columns, Reshape(inputs[1], k*k*in, out), inputs[2], compute.DenseLayoutInputOutputs)
		return Reshape(y, d[0], d[1], d[2], out)
	}, func(v *Node) []*Node {
		flipped := Reshape(TransposeAllAxes(Reverse(w, 0, 1), 0, 1, 3, 2), k*k*out, in)
		dx := Reshape(Dot(im2col(v, k), flipped).Product(), d...)
		// This computes [out, columns]. Two products give the weights' gradient; the one whose
		// contracted axis is last is the fast one.
		flat := Reshape(v, 1, -1, out)
		dw := Transpose(Dot(transposed(Reshape(flat, -1, out)), columns).Product(), 0, 1)
		return []*Node{dx, Reshape(dw, wd...), Reshape(channelSum(flat), out)}
	})
}

// im2col returns the k x k neighbourhood of each pixel of x [B,H,W,C] as a row, [B*H*W, k*k*C], with
// zeros beyond the border; k is 1 or 3.
//
// Three neighbours in a row of the image lie side by side in memory. The Go backend gathers such
// runs by copying memory, where it would slice value by value.
func im2col(x *Node, k int) *Node {
	d := x.Shape().Dimensions
	batch, height, width, c := d[0], d[1], d[2], d[3]
	if k == 1 {
		return Reshape(x, -1, c)
	}
	padded := Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, PadAxis{Start: 1, End: 1}, PadAxis{Start: 1, End: 1})
	// The first pixel of each run, counted through the padded images.
	pixel := func(axis, step int) *Node {
		return MulScalar(Iota(x.Graph(), shapes.Make(dtypes.Int32, batch, height, width, k), axis), step)
	}
	row := width + 2
	first := Add(Add(pixel(0, (height+2)*row), pixel(1, row)), Add(pixel(2, 1), pixel(3, row)))
	runs := GatherSlices(Reshape(padded, -1, c), []int{0}, Reshape(first, -1, 1), []int{k}, false)
	return Reshape(runs, batch*height*width, k*k*c)
}

// transposed transposes a matrix by a product with the identity. On the Go backend that is three
// times as fast as Transpose.
func transposed(x *Node) *Node {
	identity := DiagonalWithValue(Const(x.Graph(), float32(1)), x.Shape().Dimensions[1])
	return Einsum("ij,rj->ir", identity, x)
}
