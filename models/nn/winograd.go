package nn

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// winograd is Winograd's convolution with kernels of 3x3 (Lavin and Gray 2016, arXiv 1509.09308):
// y = A' [(G w G') * (B' x B)] A for each tile of m x m results, where ' transposes and * multiplies
// value by value. It needs (m+2)^2 multiplications for 9 m^2 of a convolution.
type winograd struct {
	m       int
	b, g, a [][]float64 // B' [m+2,m+2], G [m+2,3], A' [m,m+2]
}

// tilesOfFour needs a quarter of the multiplications. Of the points for tiles of 4x4, these have
// the least rounding errors among those tried: the largest is a sixth of that with the usual points
// 0, 1, -1, 2, -2.
var tilesOfFour = newWinograd(0, math.Sqrt2/2, -math.Sqrt2/2, math.Sqrt2, -math.Sqrt2)

// newWinograd multiplies polynomials by their values at the given points and at infinity (the
// method of Toom and Cook). Tiles are one smaller than the number of points.
func newWinograd(points ...float64) winograd {
	m, n := len(points)-1, len(points)+1
	f := winograd{m: m, a: make([][]float64, m)}
	for i := range n {
		// The polynomial that is zero at the other points, and its value at this one.
		zero, value := []float64{1}, 1.0
		for j, q := range points {
			if j == i {
				continue
			}
			zero = append([]float64{0}, zero...)
			for k := range len(zero) - 1 {
				zero[k] -= q * zero[k+1]
			}
			if i < len(points) {
				value *= points[i] - q
			}
		}
		f.b = append(f.b, append(zero, make([]float64, n-len(zero))...))
		if i == len(points) { // infinity: the highest coefficient
			f.g = append(f.g, []float64{0, 0, 1})
		} else {
			p := points[i]
			f.g = append(f.g, []float64{1 / value, p / value, p * p / value})
		}
		for k := range m {
			switch {
			case i < len(points):
				f.a[k] = append(f.a[k], math.Pow(points[i], float64(k)))
			case k < m-1:
				f.a[k] = append(f.a[k], 0)
			default:
				f.a[k] = append(f.a[k], 1)
			}
		}
	}
	return f
}

// pays says if the convolution of x with w is faster by tiles than by im2col on the Go backend.
// Below these sizes the products are too small, and with few channels transforming the tiles takes
// as long as what it saves.
func (f winograd) pays(x, w *Node) bool {
	d, wd := x.Shape().Dimensions, w.Shape().Dimensions
	rows, columns := f.tiles(d)
	return wd[0] == 3 && wd[2] >= 48 && wd[3] >= 32 && d[0]*rows*columns >= 64 && 4*rows*f.m*columns*f.m <= 5*d[1]*d[2]
}

// tiles is the number of rows and columns of tiles that cover an image of these dimensions.
func (f winograd) tiles(d []int) (rows, columns int) {
	return (d[1] + f.m - 1) / f.m, (d[2] + f.m - 1) / f.m
}

// conv is the convolution of x [B,H,W,C] with w [3,3,C,O], plus bias [O], padded to keep its size.
// The values of all tiles at one point lie together, so that each transform is one product with a
// constant, and the products of the values are one batched product.
func (f winograd) conv(x, w, bias *Node) *Node {
	g, d, out := x.Graph(), x.Shape().Dimensions, w.Shape().Dimensions[3]
	batch, height, width, in := d[0], d[1], d[2], d[3]
	m, n := f.m, f.m+2
	rows, columns := f.tiles(d)
	tiles := batch * rows * columns
	padded := Pad(x, ScalarZero(g, x.DType()), PadAxis{}, PadAxis{Start: 1, End: rows*m - height + 1}, PadAxis{Start: 1, End: columns*m - width + 1})
	line := columns*m + 2
	patches := gatherRuns(padded, 1, []int{n, n, batch, rows, columns}, line, 1, (rows*m+2)*line, m*line, m)

	transform := func(matrix [][]float64, x *Node) *Node { return Dot(onBothAxes(g, matrix), x).Product() }
	values := Reshape(transform(f.b, Reshape(patches, n*n, tiles*in)), n*n, tiles, in)
	kernels := Reshape(transform(f.g, Reshape(w, 9, in*out)), n*n, in, out)
	products := Einsum("ktc,kco->kto", values, kernels)
	y := transform(f.a, Reshape(products, n*n, tiles*out))

	y = gatherRuns(Reshape(y, m*m*tiles, out), 1, []int{batch, rows, m, columns, m}, rows*columns, columns, m*tiles, 1, tiles)
	y = Reshape(Add(Reshape(y, -1, out), Reshape(bias, 1, out)), batch, rows*m, columns*m, out)
	if rows*m == height && columns*m == width {
		return y
	}
	return Slice(y, AxisRange(), AxisRange(0, height), AxisRange(0, width))
}

// onBothAxes is the Kronecker product of a matrix with itself: it transforms tiles, as columns,
// along both of their axes.
func onBothAxes(g *Graph, matrix [][]float64) *Node {
	var flat []float32
	for _, a := range matrix {
		for _, b := range matrix {
			for _, u := range a {
				for _, v := range b {
					flat = append(flat, float32(u*v))
				}
			}
		}
	}
	n := len(matrix) * len(matrix)
	return ConstTensor(g, tensors.FromFlatDataAndDimensions(flat, n, len(flat)/n))
}
