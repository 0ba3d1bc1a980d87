package nn

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// TimeEmbedding is the sinusoidal embedding of labels [B] (float32) as [B, features]: the sines of
// label * 10000^(-i/(n-1)) for i = 0..n-1 with n = features/2, then the cosines, and a last zero if
// features is odd (Vaswani et al. 2017, as DDPM uses it).
//
// Frequencies are rounded to float32 where the published code rounds them. With a label of 977, a
// frequency that is off by half a unit in the last place changes a sine by 3e-5.
func TimeEmbedding(labels *Node, features int) *Node {
	g, n := labels.Graph(), features/2
	frequencies, rate := make([]float32, n), float32(-math.Log(10000)/float64(n-1))
	for i := range frequencies {
		frequencies[i] = float32(math.Exp(float64(float32(i) * rate)))
	}
	angles := Mul(InsertAxes(labels, -1), Const(g, [][]float32{frequencies}))
	parts := []*Node{Sin(angles), Cos(angles)}
	if features%2 == 1 {
		parts = append(parts, ZerosLike(InsertAxes(labels, -1)))
	}
	return Concatenate(parts, -1)
}
