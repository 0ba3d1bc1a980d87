package nn

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// fir is the filter of the published network; its outer product, divided by its sum, is applied to
// each channel.
var fir = [4]float64{1, 3, 3, 1}

// firMatrix is the resampling of n pixels along one axis: [2n, n] for up, [n/2, n] for down. Down
// pads one zero on each side, filters, and takes every second pixel from the first; up puts a zero
// after each pixel, pads two zeros before and one after, and filters with twice the weights.
func firMatrix(n int, up bool) [][]float32 {
	rows := n / 2
	if up {
		rows = 2 * n
	}
	m := make([][]float32, rows)
	for i := range m {
		m[i] = make([]float32, n)
		for k, f := range fir {
			if j := 2*i + k - 1; !up && j >= 0 && j < n {
				m[i][j] = float32(f / 8)
			}
			if j := i + k - 2; up && j >= 0 && j%2 == 0 && j/2 < n {
				m[i][j/2] = float32(f / 4)
			}
		}
	}
	return m
}

func plainResample(x *Node, up bool) *Node {
	g, d := x.Graph(), x.Shape().Dimensions
	x = Einsum("ih,bhwc->biwc", like(x, Const(g, firMatrix(d[1], up))), x)
	return Einsum("jw,biwc->bijc", like(x, Const(g, firMatrix(d[2], up))), x)
}

// goResample is plainResample as batched products of matrices in the order in which the Go backend
// is fast.
func goResample(x *Node, up bool) *Node {
	d := x.Shape().Dimensions
	batch, height, width, c := d[0], d[1], d[2], d[3]
	rows, columns := firMatrix(height, up), firMatrix(width, up)
	apply := func(x *Node, h, w, h2, w2 int, transpose bool) *Node {
		x = Einsum("bij,bjk->bik", tiled(x.Graph(), rows, batch, transpose), Reshape(x, batch, h, w*c))
		x = Einsum("bij,bjk->bik", tiled(x.Graph(), columns, batch*h2, transpose), Reshape(x, batch*h2, w, c))
		return Reshape(x, batch, h2, w2, c)
	}
	return withGradient([]*Node{x}, func(inputs []*Node) *Node {
		return apply(inputs[0], height, width, len(rows), len(columns), false)
	}, func(v *Node) []*Node {
		return []*Node{apply(v, len(rows), len(columns), height, width, true)}
	})
}

// tiled is n copies of m or of its transpose, [n, rows, columns]. They are made in the graph: as a
// constant, those of large frames would fill the memory of who only wants to know a network's size.
func tiled(g *Graph, m [][]float32, n int, transpose bool) *Node {
	x := ConstTensor(g, tensors.FromFlatDataAndDimensions(slices.Concat(m...), len(m), len(m[0])))
	if transpose {
		x = Transpose(x, 0, 1)
	}
	return BroadcastPrefix(x, n)
}
