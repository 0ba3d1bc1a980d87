package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Attention lets every pixel of x [B,H,W,C] attend to every other: (x + h)/sqrt(2), h = heads of
// softmax(q k^T / sqrt(C/heads)) v on the group-normalized x. There are C/headChannels heads, at
// least one, each of consecutive channels. Parameters: norm (group norm), q, k, v, out (dense
// layers over channels).
func (b *Builder) Attention(scope *model.Scope, x *Node, headChannels int) *Node {
	d := x.Shape().Dimensions
	batch, pixels, c := d[0], d[1]*d[2], d[3]
	heads := max(1, c/headChannels)
	y := Reshape(b.GroupNorm(scope.At("norm"), x, 1e-6, false), batch*pixels, c)
	project := func(name string, in *Node, scale float64) *Node { return b.Dense(scope.At("%s", name), in, c, scale) }
	split := func(name string) *Node { return Reshape(project(name, y, 0.1), batch, pixels, heads, c/heads) }
	q, k, v := split("q"), split("k"), split("v")

	b.FLOPs += 4 * float64(batch*pixels) * float64(pixels*c)
	logits := ConvertDType(Einsum("bihc,bjhc->bhij", q, k), dtypes.Float32)
	weights := like(x, Softmax(MulScalar(logits, 1/math.Sqrt(float64(c/heads))), -1))
	h := Reshape(Einsum("bhij,bjhc->bihc", weights, v), batch*pixels, c)
	return HalfSum(x, Reshape(project("out", h, 0), d...))
}

// HalfSum is (x + h)/sqrt(2), the sum that keeps the variance.
func HalfSum(x, h *Node) *Node { return MulScalar(Add(x, h), 1/math.Sqrt2) }
