package nn

import (
	"math"
	"strconv"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/backend/xlakernels"
)

// kernelsServe says whether a kernel of xlakernels may serve an operation on the images x. If none
// does, the formulation of XLA's own operations is the faster one.
func kernelsServe(x *Node) bool {
	return x.DType() == dtypes.Float32 && x.Shape().Dim(3)%xlakernels.Channels == 0 && KernelsServe(x.Graph())
}

// KernelsServe says whether kernels of xlakernels may serve a program.
func KernelsServe(g *Graph) bool {
	return xlakernels.Serve(g.Backend()) && g.DistributedStrategy() == distributed.None
}

// kernel is [Kernel] with one result.
func kernel(name string, f func(in []*Node) *Node, inputs ...*Node) *Node {
	return Kernel(name, func(in []*Node) []*Node { return []*Node{f(in)} }, inputs...)[0]
}

// Kernel is f(inputs) as a function of its own in the program, for which the kernel of that name
// stands in where it can; otherwise XLA puts the function's body in its place. f is called once for
// inputs of the same shapes.
//
// In f, scalars are made by Const, not by MulScalar, OnePlus and the like: GoMLX keeps those for the
// graph, and they belong to the function in which they were first used. So do reductions: sums are
// products there, and a maximum is a chain of operations. There is no gradient, so a kernel of what has
// one stands in [withLinkedGradient].
func Kernel(name string, f func(in []*Node) []*Node, inputs ...*Node) []*Node {
	g := inputs[0].Graph()
	name = xlakernels.Prefix + name + "_"
	for _, x := range inputs {
		name += "_"
		for _, d := range x.Shape().Dimensions {
			name += "_" + strconv.Itoa(d)
		}
	}
	functions, ok := g.State(kernelFunctions{}).(map[string]*Function)
	if !ok {
		functions = map[string]*Function{}
		g.AttachState(kernelFunctions{}, functions)
	}
	if functions[name] == nil {
		functions[name] = NewFunction(g, name, func(g *Graph) []*Node {
			parameters := make([]*Node, len(inputs))
			for i, x := range inputs {
				parameters[i] = Parameter(g, "p"+strconv.Itoa(i), x.Shape())
			}
			return f(parameters)
		})
	}
	return functions[name].Call(inputs...)
}

// kernelFunctions is the key of what [Kernel] keeps in a graph.
type kernelFunctions struct{}

// kernelsConvolve says whether a kernel may serve the convolution of x with w.
func kernelsConvolve(x, w *Node) bool {
	return kernelsServe(x) && w.Shape().Dim(-1)%xlakernels.Channels == 0
}

// kernelConv is [xlaConv] whose bias and half sum are the kernel's, too. Its gradient is that of a
// convolution of XLA's, which a kernel replaces.
func kernelConv(x, w, bias, to *Node) *Node {
	inputs := []*Node{x, w, bias}
	linked := []*Node{Convolve(x, w).PadSame().Done(), bias}
	if to != nil {
		inputs, linked = append(inputs, to), append(linked, to)
	}
	half := func(x *Node) *Node { return Mul(x, Const(x.Graph(), float32(1/math.Sqrt2))) }
	return withLinkedGradient(linked, func([]*Node) *Node {
		return kernel("conv_bias", func(in []*Node) *Node {
			y := Add(xlaProduct(in[0], in[1]), Reshape(in[2], 1, 1, 1, -1))
			if to != nil {
				y = half(Add(y, in[3]))
			}
			return y
		}, inputs...)
	}, func(v *Node) []*Node {
		if to == nil {
			return []*Node{v, ReduceSum(kernelPixelSum(v), 0)}
		}
		v = half(v)
		return []*Node{v, ReduceSum(kernelPixelSum(v), 0), v}
	})
}

// kernelPixelSum is [pixelSum] by a kernel.
func kernelPixelSum(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(coefficient(normKernels{}.moments(x), 0), d[0], d[3])
}

// kernelSums is the sums over pixels of x and y, [B,2,C].
func kernelSums(x, y *Node) *Node {
	d := x.Shape().Dimensions
	ones := BroadcastToDims(Const(x.Graph(), float32(1)), d[0], 1, d[1]*d[2])
	sum := func(x *Node) *Node { return Einsum("bij,bjc->bic", ones, Reshape(x, d[0], d[1]*d[2], d[3])) }
	return Concatenate([]*Node{sum(x), sum(y)}, 1)
}

// coefficient is row i of k [B,n,C], for each pixel: [B,1,1,C].
func coefficient(k *Node, i int) *Node {
	d := k.Shape().Dimensions
	return Reshape(Slice(k, AxisRange(), AxisElem(i)), d[0], 1, 1, d[2])
}

// normKernels are the passes over the pixels of a norm, with SiLU or without, as xlakernels has them.
type normKernels struct{ silu bool }

func (n normKernels) name(name string) string {
	if n.silu {
		return name + "_silu"
	}
	return name
}

// moments is the sums of x and of its square.
func (n normKernels) moments(x *Node) *Node {
	return kernel("sums", func(in []*Node) *Node { return kernelSums(in[0], Mul(in[0], in[0])) }, x)
}

// apply is x*a + s, then SiLU.
func (n normKernels) apply(x, a, s *Node) *Node {
	return kernel(n.name("affine"), func(in []*Node) *Node {
		y := Add(Mul(in[0], coefficient(in[1], 0)), coefficient(in[1], 1))
		return siluIf(n.silu, y, func(x *Node) *Node { return Mul(x, Logistic(x)) })
	}, x, Stack([]*Node{a, s}, 1))
}

// throughSiLU is the adjoint v of the result of apply as that of x*a + s; k begins with a and s.
func (n normKernels) throughSiLU(x, v, k *Node) *Node {
	if !n.silu {
		return v
	}
	y := Add(Mul(x, coefficient(k, 0)), coefficient(k, 1))
	sigmoid, one := Logistic(y), Const(x.Graph(), float32(1))
	return Mul(v, Mul(sigmoid, Add(one, Mul(y, Sub(one, sigmoid)))))
}

// adjoints is the sums of v' x and of v', the adjoints of a and s.
func (n normKernels) adjoints(x, v, a, s *Node) *Node {
	return kernel(n.name("sums"), func(in []*Node) *Node {
		v := n.throughSiLU(in[0], in[1], in[2])
		return kernelSums(Mul(v, in[0]), v)
	}, x, v, Stack([]*Node{a, s}, 1))
}

// gradient is v' a + p + q x, the adjoint of x.
func (n normKernels) gradient(x, v, a, s, p, q *Node) *Node {
	return kernel(n.name("affine"), func(in []*Node) *Node {
		v := n.throughSiLU(in[0], in[1], in[2])
		return Add(Add(Mul(v, coefficient(in[2], 0)), coefficient(in[2], 2)), Mul(in[0], coefficient(in[2], 3)))
	}, x, v, Stack([]*Node{a, s, p, q}, 1))
}

// groupStatistics is what a norm knows of the groups of x, for each channel [B,C]: the mean m, and
//
//	r = 1/sqrt(q - m^2 + epsilon)
//
// where q is the mean of the square.
type groupStatistics struct {
	means *Node // [C,C], see groupMean
	m, r  *Node
}

func kernelStatistics(x *Node, groups int, epsilon float64) groupStatistics {
	d := x.Shape().Dimensions
	s := groupStatistics{means: groupMean(x.Graph(), d[3], groups, d[1]*d[2])}
	moments := normKernels{}.moments(x)
	s.m = s.mean(row(moments, 0))
	variance := MaxScalar(Sub(s.mean(row(moments, 1)), Square(s.m)), 0)
	s.r = reciprocalSqrt(AddScalar(variance, epsilon))
	return s
}

// mean is the mean over each group of sums over pixels.
func (s groupStatistics) mean(sums *Node) *Node { return Dot(sums, s.means).Product() }

// adjoints are p and q, such that p + q x is the part of the adjoint of x that comes by m and r, whose
// adjoints these are.
func (s groupStatistics) adjoints(dm, dr *Node) (p, q *Node) {
	dVariance := Mul(MulScalar(dr, -0.5), Mul(s.r, Square(s.r)))
	dm = Sub(dm, MulScalar(Mul(s.m, dVariance), 2))
	return s.mean(dm), MulScalar(s.mean(dVariance), 2)
}

// row is row i of k [B,n,C], [B,C].
func row(k *Node, i int) *Node {
	d := k.Shape().Dimensions
	return Reshape(coefficient(k, i), d[0], d[2])
}

// kernelNorm is [xlaNorm] whose passes over the pixels are kernels. The normalized x is x*a + s, with
//
//	a = r scale, s = shift - m a
func kernelNorm(x, scale, shift *Node, groups int, epsilon float64, silu bool) *Node {
	scale, shift = orNothing(x, scale, shift)
	n := normKernels{silu}
	var of groupStatistics
	var a, s *Node
	return withLinkedGradient([]*Node{x, scale, shift}, func(in []*Node) *Node {
		of = kernelStatistics(in[0], groups, epsilon)
		a = Mul(of.r, in[1])
		s = Sub(in[2], Mul(of.m, a))
		return n.apply(in[0], a, s)
	}, func(v *Node) []*Node {
		both := n.adjoints(x, v, a, s)
		da, ds := row(both, 0), row(both, 1)
		da = Sub(da, Mul(ds, of.m)) // a is in s, too
		p, q := of.adjoints(Neg(Mul(ds, a)), Mul(scale, da))
		return []*Node{n.gradient(x, v, a, s, p, q), Mul(of.r, da), ds}
	})
}

// orNothing is scale and shift, or for nil those that change nothing.
func orNothing(x, scale, shift *Node) (*Node, *Node) {
	d := x.Shape().Dimensions
	if scale == nil {
		scale = Ones(x.Graph(), F32(d[0], d[3]))
	}
	if shift == nil {
		shift = Zeros(x.Graph(), F32(d[0], d[3]))
	}
	return scale, shift
}

// kernelSpatialNorm is [xlaSpatialNorm] whose forward pass and sums over pixels are kernels.
func kernelSpatialNorm(x, gain, bias, scale, shift *Node, groups int, epsilon float64, silu bool) *Node {
	affine := scale != nil
	scale, shift = orNothing(x, scale, shift)
	inputs := []*Node{x, gain, bias}
	if affine {
		inputs = append(inputs, scale, shift)
	}
	n := normKernels{silu}
	var of groupStatistics
	var s *Node
	return withLinkedGradient(inputs, func(in []*Node) *Node {
		of = kernelStatistics(in[0], groups, epsilon)
		s = Neg(Mul(of.m, of.r))
		return kernel(n.name("spatial"), func(in []*Node) *Node {
			k := in[3]
			y := Add(Mul(in[0], coefficient(k, 0)), coefficient(k, 1))
			y = Add(Mul(y, in[1]), in[2])
			y = Add(Mul(y, coefficient(k, 2)), coefficient(k, 3))
			return siluIf(silu, y, func(x *Node) *Node { return Mul(x, Logistic(x)) })
		}, in[0], in[1], in[2], Stack([]*Node{of.r, s, scale, shift}, 1))
	}, func(v *Node) []*Node {
		normalized := Add(Mul(x, eachPixel(of.r)), eachPixel(s))
		spatial := Add(Mul(normalized, gain), bias)
		if silu {
			v = Mul(v, siluSlope(Add(Mul(spatial, eachPixel(scale)), eachPixel(shift))))
		}
		dSpatial := Mul(v, eachPixel(scale))
		dNormalized := Mul(dSpatial, gain)
		sums := normKernels{}.adjoints(x, dNormalized, of.r, s)
		dr, ds := row(sums, 0), row(sums, 1)
		p, q := of.adjoints(Neg(Mul(ds, of.r)), Sub(dr, Mul(ds, of.m)))
		dx := Add(Add(Mul(dNormalized, eachPixel(of.r)), eachPixel(p)), Mul(x, eachPixel(q)))
		adjoints := []*Node{dx, Mul(dSpatial, normalized), dSpatial}
		if affine {
			sums := normKernels{}.adjoints(spatial, v, of.r, s)
			adjoints = append(adjoints, row(sums, 0), row(sums, 1))
		}
		return adjoints
	})
}
