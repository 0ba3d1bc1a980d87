package nn

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// TimeEmbedding is the sinusoidal embedding of labels [B] (float32): [B, features], the sines of label * 10000^(-i/(n-1)),
// i = 0..n-1, n = features/2, then the cosines; a last zero if features is odd (Vaswani et al. 2017, as DDPM uses it).
func TimeEmbedding(labels *Node, features int) *Node {
	g, n := labels.Graph(), features/2
	frequencies := make([]float32, n)
	for i := range frequencies {
		frequencies[i] = float32(math.Exp(-math.Log(10000) * float64(i) / float64(n-1)))
	}
	angles := Mul(InsertAxes(labels, -1), Const(g, [][]float32{frequencies}))
	parts := []*Node{Sin(angles), Cos(angles)}
	if features%2 == 1 {
		parts = append(parts, ZerosLike(InsertAxes(labels, -1)))
	}
	return Concatenate(parts, -1)
}
