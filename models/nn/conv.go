package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
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

// goConv is im2col and one matrix product that includes the bias, as a row of the weights that
// meets a column of ones. The gradient of the input is the convolution of the adjoint with the
// flipped kernel, again by im2col. The gradient that GoMLX would derive scatters slices, which is
// slow.
func goConv(x, w, bias *Node) *Node {
	d, wd := x.Shape().Dimensions, w.Shape().Dimensions
	batch, height, width := d[0], d[1], d[2]
	k, in, out := wd[0], wd[2], wd[3]
	taps := k * k * in
	var columns *Node
	return withGradient([]*Node{x, w, bias}, func(inputs []*Node) *Node {
		columns = im2col(inputs[0], k, true)
		rows := []*Node{Reshape(inputs[1], taps, out), Reshape(inputs[2], 1, out)}
		if more := columns.Shape().Dimensions[1] - taps - 1; more > 0 {
			rows = append(rows, Zeros(x.Graph(), F32(more, out)))
		}
		matrix := Concatenate(rows, 0)
		return Reshape(Dot(columns, matrix).Product(), batch, height, width, out)
	}, func(v *Node) []*Node {
		flipped := Reshape(TransposeAllAxes(Reverse(w, 0, 1), 0, 1, 3, 2), k*k*out, in)
		dx := Reshape(Dot(im2col(v, k, false), flipped).Product(), batch, height, width, in)
		// This computes [out, columns]. Two products give the weights' gradient; the one whose
		// contracted axis is last is the fast one.
		dMatrix := Transpose(Dot(transposed(Reshape(v, -1, out)), columns).Product(), 0, 1)
		dw := Reshape(Slice(dMatrix, AxisRange(0, taps)), k, k, in, out)
		return []*Node{dx, dw, Reshape(Slice(dMatrix, AxisElem(taps)), out)}
	})
}

// im2col returns the k x k neighbourhood of each pixel as a row, [B*H*W, k*k*C], with zeros beyond
// the border. If asked for, a column of ones for a bias follows.
//
// The Go backend slices value by value. So an even number of channels travels as half as many
// values of twice the size; then a column of zeros follows the one of ones. This takes a tenth off
// a training step.
func im2col(x *Node, k int, ones bool) *Node {
	g, d := x.Graph(), x.Shape().Dimensions
	batch, height, width, c := d[0], d[1], d[2], d[3]
	wide := k == 3 && c%2 == 0
	if wide {
		x = Bitcast(Reshape(x, batch, height, width, c/2, 2), dtypes.Float64)
	}
	parts := []*Node{x}
	if k == 3 {
		parts = nil
		padded := Pad(x, ScalarZero(g, x.DType()), PadAxis{}, PadAxis{Start: 1, End: 1}, PadAxis{Start: 1, End: 1})
		for i := range 3 {
			for j := range 3 {
				parts = append(parts, Slice(padded, AxisRange(), AxisRange(i, i+height), AxisRange(j, j+width)))
			}
		}
	}
	if ones {
		one := Const(g, float32(1))
		if wide {
			one = Bitcast(Const(g, []float32{1, 0}), dtypes.Float64)
		}
		parts = append(parts, BroadcastToDims(one, batch, height, width, 1))
	}
	y := parts[0]
	if len(parts) > 1 {
		y = Concatenate(parts, -1)
	}
	if wide {
		y = Bitcast(y, dtypes.Float32)
	}
	return Reshape(y, batch*height*width, -1)
}

// transposed transposes a matrix by a product with the identity. On the Go backend that is three
// times as fast as Transpose.
func transposed(x *Node) *Node {
	identity := DiagonalWithValue(Const(x.Graph(), float32(1)), x.Shape().Dimensions[1])
	return Einsum("ij,rj->ir", identity, x)
}
