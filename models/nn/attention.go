package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/xlakernels"
)

// Attention lets every pixel of x [B,H,W,C] attend to every other: (x + h)/sqrt(2), h = heads of
// softmax(q k^T / sqrt(C/heads)) v on the group-normalized x. There are C/headChannels heads, at
// least one, each of consecutive channels. Parameters: norm (group norm), q, k, v, out (dense
// layers over channels).
func (b *Builder) Attention(scope *model.Scope, x *Node, headChannels int) *Node {
	d := x.Shape().Dimensions
	batch, pixels, c := d[0], d[1]*d[2], d[3]
	heads := max(1, c/headChannels)
	y := b.GroupNorm(scope.At("norm"), x, 1e-6, false)
	split := func(name string) *Node {
		return Reshape(b.Pointwise(scope.At("%s", name), y, c, 0.1, nil), batch, pixels, heads, c/heads)
	}
	q, k, v := split("q"), split("k"), split("v")

	b.FLOPs += 4 * float64(batch*pixels) * float64(pixels*c)
	h := Reshape(b.Attend(q, k, v), d...)
	return b.Pointwise(scope.At("out"), h, c, 0, x)
}

// plainAttend is attention in GoMLX's own operations; the softmax is in float32.
func plainAttend(q, k, v *Node) *Node {
	scale := 1 / math.Sqrt(float64(q.Shape().Dim(-1)))
	logits := ConvertDType(Einsum("bihc,bjhc->bhij", q, k), dtypes.Float32)
	weights := like(v, Softmax(MulScalar(logits, scale), -1))
	return Einsum("bhij,bjhc->bihc", weights, v)
}

// xlaAttend has a kernel where one may serve, because XLA's own operations write and read the weights of
// all pairs of pixels several times.
func xlaAttend(q, k, v *Node) *Node {
	if !kernelsServe(q) || q.Shape().Dim(1)%xlakernels.Channels != 0 {
		return plainAttend(q, k, v)
	}
	inputs := []*Node{q, k, v}
	scaled := func(x *Node) *Node { return Mul(x, Const(x.Graph(), float32(1/math.Sqrt(float64(q.Shape().Dim(-1)))))) }
	weights := func(in []*Node) *Node { // a softmax without reductions: see kernel
		logits := scaled(Einsum("bihc,bjhc->bhij", in[0], in[1]))
		e := Exp(Sub(logits, largest(logits)))
		return Div(e, lastSum(e))
	}
	return withLinkedGradient(inputs, func(in []*Node) *Node {
		return kernel("attention", func(in []*Node) *Node { return Einsum("bhij,bjhc->bihc", weights(in), in[2]) }, in...)
	}, func(dy *Node) []*Node {
		all := kernel("attention_gradient", func(in []*Node) *Node {
			w, dy := weights(in), in[3]
			dw := Einsum("bihc,bjhc->bhij", dy, in[2])
			dw = scaled(Mul(w, Sub(dw, lastSum(Mul(w, dw)))))
			return Stack([]*Node{Einsum("bhij,bjhc->bihc", dw, in[1]), Einsum("bhij,bihc->bjhc", dw, in[0]), Einsum("bhij,bihc->bjhc", w, dy)}, 0)
		}, append(inputs, dy)...)
		adjoints := make([]*Node, len(inputs))
		for i := range adjoints {
			adjoints[i] = Reshape(Slice(all, AxisElem(i)), q.Shape().Dimensions...)
		}
		return adjoints
	})
}

// lastSum is the sum over the last axis of x [b,h,i,j], which stays with one value, as a product.
func lastSum(x *Node) *Node {
	d := x.Shape().Dimensions
	ones := BroadcastToDims(Const(x.Graph(), float32(1)), d[0], d[1], d[3], 1)
	return Einsum("bhij,bhjk->bhik", x, ones)
}

// largest is the largest value along the last axis of x [b,h,i,j], which stays with one value: of both
// halves the larger, until an odd number is left.
func largest(x *Node) *Node {
	part := func(from, to int) *Node { return Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(from, to)) }
	for n := x.Shape().Dim(-1); n%2 == 0; n /= 2 {
		x = Max(part(0, n/2), part(n/2, n))
	}
	most := part(0, 1)
	for i := range x.Shape().Dim(-1) {
		most = Max(most, part(i, i+1))
	}
	return most
}

// HalfSum is (x + h)/sqrt(2), the sum that keeps the variance.
func HalfSum(x, h *Node) *Node { return MulScalar(Add(x, h), 1/math.Sqrt2) }

// halfSumIf is the half sum of h and to, or h if to is nil.
func halfSumIf(to, h *Node) *Node {
	if to == nil {
		return h
	}
	return HalfSum(to, h)
}
