package nn

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// XLA is the formulation for XLA, which compiles and fuses operations. Convolutions are XLA's own.
// Sums over pixels are batched products with ones, because XLA's reductions compute their producers
// again, and are not vectorized where the statistics of a group are spread over its channels.
// docs/performance.md has measurements.
var XLA = Formulation{Conv: xlaConv, Forward: xlaConv, Norm: xlaNorm, SpatialNorm: xlaSpatialNorm, Attend: xlaAttend, SiLU: plainSiLU, Resample: xlaResample, Split: 1}

// withLinkedGradient is [withGradient] for XLA: the inputs are linked to the result by Where(false,
// input, result), which XLA's simplifier removes, so that the forward pass stays fusible. The
// adjoints that travel over these links are dead code.
func withLinkedGradient(inputs []*Node, forward func(inputs []*Node) *Node, backward func(v *Node) []*Node) *Node {
	var adjoints []*Node
	y := StopGradient(forward(inputs))
	never := Const(y.Graph(), false)
	for i, x := range inputs {
		link := IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return adjoints[i] })
		if !link.Shape().Equal(y.Shape()) {
			first := make([]SliceAxisSpec, link.Rank())
			for axis := range first {
				first[axis] = AxisElem(0)
			}
			link = BroadcastToDims(ConvertDType(Reshape(Slice(link, first...)), y.DType()), y.Shape().Dimensions...)
		}
		y = Where(never, link, y)
	}
	return IdentityWithCustomGradient(y, func(_, v *Node) *Node { adjoints = backward(v); return v })
}

// xlaConv is XLA's convolution, or a kernel's. The gradient of the bias is a batched product with ones:
// an unbatched one is fused with all its producers into a kernel that runs on one core.
func xlaConv(x, w, bias, to *Node) *Node {
	if kernelsConvolve(x, w) {
		return kernelConv(x, w, bias, to)
	}
	return halfSumIf(to, withLinkedGradient([]*Node{xlaProduct(x, w), bias}, func(in []*Node) *Node {
		return Add(in[0], like(in[0], Reshape(in[1], 1, 1, 1, -1)))
	}, func(v *Node) []*Node { return []*Node{v, ReduceSum(pixelSum(v), 0)} }))
}

// xlaProduct is x convolved with w: XLA's convolution, or a product of matrices for a 1x1 kernel.
func xlaProduct(x, w *Node) *Node {
	d, wd := x.Shape().Dimensions, w.Shape().Dimensions
	if wd[0] != 1 {
		return Convolve(x, w).PadSame().Done()
	}
	return Reshape(Dot(Reshape(x, -1, d[3]), Reshape(w, wd[2], wd[3])).Product(), d[0], d[1], d[2], wd[3])
}

// f32 is x in float32.
func f32(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }

// pixelSum is [B,H,W,C] -> [B,C] in float32, as a batched product with ones.
func pixelSum(x *Node) *Node {
	x = f32(x)
	d := x.Shape().Dimensions
	ones := Ones(x.Graph(), F32(d[0], 1, d[1]*d[2]))
	return Reshape(Einsum("bij,bjc->bic", ones, Reshape(x, d[0], d[1]*d[2], d[3])), d[0], d[3])
}

// eachPixel is [B,C] -> [B,1,1,C].
func eachPixel(x *Node) *Node { return InsertAxes(x, 1, 1) }

// xlaStatistics returns a and s [B,C] such that x*a + s is x normalized by groups.
func xlaStatistics(x *Node, groups int, epsilon float64) (a, s *Node) {
	d := x.Shape().Dimensions
	batch, c := d[0], d[3]
	moments := withLinkedGradient([]*Node{x}, func(in []*Node) *Node {
		return Stack([]*Node{pixelSum(in[0]), pixelSum(Square(f32(in[0])))}, 1)
	}, func(v *Node) []*Node {
		first, second := Slice(v, AxisRange(), AxisElem(0)), Slice(v, AxisRange(), AxisElem(1))
		dx := Add(Reshape(first, batch, 1, 1, c), Mul(f32(x), Reshape(MulScalar(second, 2), batch, 1, 1, c)))
		return []*Node{like(x, dx)}
	})
	moments = Reshape(Dot(Reshape(moments, batch*2, c), groupMean(x.Graph(), c, groups, d[1]*d[2])).Product(), batch, 2, c)
	m := Reshape(Slice(moments, AxisRange(), AxisElem(0)), batch, c)
	square := Reshape(Slice(moments, AxisRange(), AxisElem(1)), batch, c)
	a = reciprocalSqrt(AddScalar(MaxScalar(Sub(square, Square(m)), 0), epsilon))
	return a, Neg(Mul(m, a))
}

// groupMean is a matrix [C,C] that makes of the sums of channels over so many pixels, for each channel,
// the mean of its group: a mean over a group as a product of matrices, too. It is made in the graph,
// because a constant of wide layers would fill the memory of who only wants to know a network's size.
func groupMean(g *Graph, channels, groups, pixels int) *Node {
	size := channels / groups
	group := func(axis int) *Node {
		return DivScalar(Iota(g, shapes.Make(dtypes.Int32, channels, channels), axis), size)
	}
	return MulScalar(ConvertDType(Equal(group(0), group(1)), dtypes.Float32), 1/float64(pixels*size))
}

// xlaAffine is x*a + s, with a and s [B,C], then SiLU if asked for. Its gradient computes the sum
// again, which is cheaper than keeping it.
func xlaAffine(x, a, s *Node, silu bool) *Node {
	affine := func(in []*Node) *Node { return Add(Mul(f32(in[0]), eachPixel(in[1])), eachPixel(in[2])) }
	inputs := []*Node{x, a, s}
	return withLinkedGradient(inputs, func(in []*Node) *Node {
		return like(x, siluIf(silu, affine(in), plainSiLU))
	}, func(v *Node) []*Node {
		v = f32(v)
		if silu {
			v = Mul(v, siluSlope(affine(inputs)))
		}
		return []*Node{like(x, Mul(v, eachPixel(a))), pixelSum(Mul(v, f32(x))), pixelSum(v)}
	})
}

// siluSlope is the derivative of SiLU.
func siluSlope(x *Node) *Node {
	s := Logistic(x)
	return Mul(s, OnePlus(Mul(x, OneMinus(s))))
}

func xlaNorm(x, scale, shift *Node, groups int, epsilon float64, silu bool) *Node {
	if kernelsServe(x) {
		return kernelNorm(x, scale, shift, groups, epsilon, silu)
	}
	a, s := xlaStatistics(x, groups, epsilon)
	if scale != nil {
		a, s = Mul(a, scale), Mul(s, scale)
	}
	if shift != nil {
		s = Add(s, shift)
	}
	return xlaAffine(x, a, s, silu)
}

// xlaSpatialNorm has one gradient for everything after the statistics.
func xlaSpatialNorm(x, gain, bias, scale, shift *Node, groups int, epsilon float64, silu bool) *Node {
	if kernelsServe(x) {
		return kernelSpatialNorm(x, gain, bias, scale, shift, groups, epsilon, silu)
	}
	a, s := xlaStatistics(x, groups, epsilon)
	inputs := []*Node{x, gain, bias, a, s}
	if scale != nil {
		inputs = append(inputs, scale, shift)
	}
	parts := func(in []*Node) (normalized, spatial, y *Node) {
		normalized = Add(Mul(f32(in[0]), eachPixel(in[3])), eachPixel(in[4]))
		spatial = Add(Mul(normalized, f32(in[1])), f32(in[2]))
		y = spatial
		if len(in) > 5 {
			y = Add(Mul(spatial, eachPixel(in[5])), eachPixel(in[6]))
		}
		return normalized, spatial, y
	}
	return withLinkedGradient(inputs, func(in []*Node) *Node {
		_, _, y := parts(in)
		return like(x, siluIf(silu, y, plainSiLU))
	}, func(v *Node) []*Node {
		normalized, spatial, y := parts(inputs)
		v = f32(v)
		if silu {
			v = Mul(v, siluSlope(y))
		}
		dSpatial := v
		if scale != nil {
			dSpatial = Mul(v, eachPixel(scale))
		}
		dNormalized := Mul(dSpatial, f32(gain))
		adjoints := []*Node{like(x, Mul(dNormalized, eachPixel(a))), like(gain, Mul(dSpatial, normalized)), like(bias, dSpatial),
			pixelSum(Mul(dNormalized, f32(x))), pixelSum(dNormalized)}
		if scale != nil {
			adjoints = append(adjoints, pixelSum(Mul(v, spatial)), pixelSum(v))
		}
		return adjoints
	})
}

// xlaResample is the FIR filter as sums of shifted images. The adjoint of up is four times down.
func xlaResample(x *Node, up bool) *Node {
	resample := func(x *Node, up bool) *Node { return shiftedFIR(shiftedFIR(x, 1, up), 2, up) }
	return withLinkedGradient([]*Node{x}, func(in []*Node) *Node { return resample(in[0], up) }, func(v *Node) []*Node {
		factor := 0.25
		if up {
			factor = 4
		}
		return []*Node{MulScalar(resample(v, !up), factor)}
	})
}

// shiftedFIR filters [1,3,3,1] and resamples one axis of x [B,H,W,C]:
//
//	up:   y[2i] = (3 x[i] + x[i-1])/4, y[2i+1] = (3 x[i] + x[i+1])/4
//	down: y[i] = (3 (x[2i] + x[2i+1]) + x[2i-1] + x[2i+2])/8
func shiftedFIR(x *Node, axis int, up bool) *Node {
	d := x.Shape().Dimensions
	n := d[axis]
	resized := append([]int(nil), d...)
	if up {
		resized[axis] = 2 * n
		near := MulScalar(x, 0.75)
		even := Add(near, MulScalar(shift(x, axis, -1), 0.25))
		odd := Add(near, MulScalar(shift(x, axis, 1), 0.25))
		return Reshape(Concatenate([]*Node{InsertAxes(even, axis+1), InsertAxes(odd, axis+1)}, axis+1), resized...)
	}
	resized[axis] = n / 2
	pairs := append(append(append([]int(nil), d[:axis]...), n/2, 2), d[axis+1:]...)
	half := func(i int) *Node {
		of := make([]SliceAxisSpec, len(pairs))
		for k := range of {
			of[k] = AxisRange()
		}
		of[axis+1] = AxisElem(i)
		return Reshape(Slice(Reshape(x, pairs...), of...), resized...)
	}
	even, odd := half(0), half(1)
	return MulScalar(Add(MulScalar(Add(even, odd), 3), Add(shift(odd, axis, -1), shift(even, axis, 1))), 0.125)
}

// shift is y[i] = x[i+by] along an axis, by being 1 or -1, with a zero beyond the border.
func shift(x *Node, axis, by int) *Node {
	d := append([]int(nil), x.Shape().Dimensions...)
	rest := make([]SliceAxisSpec, len(d))
	for i := range rest {
		rest[i] = AxisRange()
	}
	n := d[axis]
	d[axis] = 1
	if n == 1 {
		return ZerosLike(x)
	}
	zero := ZerosLike(Slice(x, append(append(append([]SliceAxisSpec(nil), rest[:axis]...), AxisRange(0, 1)), rest[axis+1:]...)...))
	if by < 0 {
		rest[axis] = AxisRange(0, n-1)
		return Concatenate([]*Node{zero, Slice(x, rest...)}, axis)
	}
	rest[axis] = AxisRange(1, n)
	return Concatenate([]*Node{Slice(x, rest...), zero}, axis)
}
