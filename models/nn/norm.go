package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Groups is the number of groups into which the published network divides channels: a quarter of
// them, at most 32, and fewer if that does not divide them.
func Groups(channels int) int {
	n := max(1, min(channels/4, 32))
	for channels%n != 0 {
		n--
	}
	return n
}

// GroupNorm normalizes x [B,H,W,C] over the pixels and channels of each group, with a learned scale
// and shift for each channel, then SiLU if asked for. Parameters: scale [C], shift [C].
func (b *Builder) GroupNorm(scope *model.Scope, x *Node, epsilon float64, silu bool) *Node {
	batch, c := x.Shape().Dimensions[0], x.Shape().Dimensions[3]
	learned := func(name string, init Init) *Node {
		return BroadcastToDims(Reshape(Param(x.Graph(), scope, name, init, c), 1, c), batch, c)
	}
	return b.Norm(x, learned("scale", Init{One: true}), learned("shift", Init{}), Groups(c), epsilon, silu)
}

func plainNorm(x, scale, shift *Node, groups int, epsilon float64, silu bool) *Node {
	image, d := x, x.Shape().Dimensions
	x = ConvertDType(x, dtypes.Float32)
	batch, height, width, c := d[0], d[1], d[2], d[3]
	grouped := Reshape(x, batch, height*width, groups, c/groups)
	centered := Sub(grouped, ReduceAndKeep(grouped, ReduceMean, 1, 3))
	variance := ReduceAndKeep(Square(centered), ReduceMean, 1, 3)
	y := plainAffine(Reshape(Mul(centered, reciprocalSqrt(AddScalar(variance, epsilon))), d...), scale, shift)
	return like(image, siluIf(silu, y, plainSiLU))
}

// plainAffine is x [B,H,W,C] times scale, plus shift, each [B,C] or nil.
func plainAffine(x, scale, shift *Node) *Node {
	batch, c := x.Shape().Dimensions[0], x.Shape().Dimensions[3]
	if scale != nil {
		x = Mul(x, Reshape(scale, batch, 1, 1, c))
	}
	if shift != nil {
		x = Add(x, Reshape(shift, batch, 1, 1, c))
	}
	return x
}

func plainSpatialNorm(x, gain, bias, scale, shift *Node, groups int, epsilon float64, silu bool) *Node {
	y := Add(Mul(plainNorm(f32(x), nil, nil, groups, epsilon, false), f32(gain)), f32(bias))
	return like(x, siluIf(silu, plainAffine(y, scale, shift), plainSiLU))
}

func siluIf(asked bool, x *Node, silu func(*Node) *Node) *Node {
	if asked {
		return silu(x)
	}
	return x
}

// reciprocalSqrt stands for Rsqrt, which has no gradient.
func reciprocalSqrt(x *Node) *Node { return Reciprocal(Sqrt(x)) }

// goNorm computes the mean and the variance from the sums of x and of its square over each channel.
// It folds them with scale and shift into one multiplication and one addition for each value.
func goNorm(x, scale, shift *Node, groups int, epsilon float64, silu bool) *Node {
	d := x.Shape().Dimensions
	batch, pixels, c := d[0], d[1]*d[2], d[3]
	flat := Reshape(x, batch, pixels, c)
	moments := ReduceAndKeep(Reshape(channelMoments(flat), batch, 2, groups, c/groups), ReduceSum, 3)
	moments = MulScalar(moments, 1/float64(pixels*c/groups))
	mean, square := Slice(moments, AxisRange(), AxisRange(0, 1)), Slice(moments, AxisRange(), AxisRange(1, 2))
	inverse := reciprocalSqrt(AddScalar(MaxScalar(Sub(square, Square(mean)), 0), epsilon))
	eachChannel := func(x *Node) *Node { return Reshape(BroadcastToDims(x, batch, 1, groups, c/groups), batch, 1, c) }
	a, s := eachChannel(inverse), eachChannel(Neg(Mul(mean, inverse)))
	if scale != nil {
		scale = Reshape(scale, batch, 1, c)
		a, s = Mul(a, scale), Mul(s, scale)
	}
	if shift != nil {
		s = Add(s, Reshape(shift, batch, 1, c))
	}
	return siluIf(silu, Reshape(channelAffine(flat, a, s), d...), goSiLU)
}

func goSpatialNorm(x, gain, bias, scale, shift *Node, groups int, epsilon float64, silu bool) *Node {
	d := x.Shape().Dimensions
	y := Add(Mul(goNorm(x, nil, nil, groups, epsilon, false), gain), bias)
	if scale != nil {
		each := func(x *Node) *Node { return Reshape(x, d[0], 1, d[3]) }
		y = Reshape(channelAffine(Reshape(y, d[0], -1, d[3]), each(scale), each(shift)), d...)
	}
	return siluIf(silu, y, goSiLU)
}

// channelSum is [B,P,C] -> [B,1,C] as a product with ones, which takes a ninth of the time of
// ReduceSum.
func channelSum(x *Node) *Node {
	d := x.Shape().Dimensions
	return Einsum("bij,bjc->bic", Ones(x.Graph(), F32(d[0], 1, d[1])), x)
}

// everyPixel is [B,1,C] -> [B,pixels,C] as a product with ones, which takes a sixth of the time of
// BroadcastToDims.
func everyPixel(x *Node, pixels int) *Node {
	return Einsum("bik,bkc->bic", Ones(x.Graph(), F32(x.Shape().Dimensions[0], pixels, 1)), x)
}

// channelAffine is x*a + s with x [B,P,C], a and s [B,1,C].
func channelAffine(x, a, s *Node) *Node {
	pixels := x.Shape().Dimensions[1]
	var everyA *Node
	return withGradient([]*Node{x, a, s}, func(inputs []*Node) *Node {
		everyA = everyPixel(inputs[1], pixels)
		return Add(Mul(inputs[0], everyA), everyPixel(inputs[2], pixels))
	}, func(v *Node) []*Node {
		return []*Node{Mul(v, everyA), channelSum(Mul(v, x)), channelSum(v)}
	})
}

// channelMoments is the sums of x [B,P,C] and of its square, [B,2,C].
func channelMoments(x *Node) *Node {
	pixels := x.Shape().Dimensions[1]
	return withGradient([]*Node{x}, func(inputs []*Node) *Node {
		return Concatenate([]*Node{channelSum(inputs[0]), channelSum(Square(inputs[0]))}, 1)
	}, func(v *Node) []*Node {
		first, second := Slice(v, AxisRange(), AxisRange(0, 1)), Slice(v, AxisRange(), AxisRange(1, 2))
		return []*Node{Add(everyPixel(first, pixels), Mul(x, everyPixel(MulScalar(second, 2), pixels)))}
	})
}
