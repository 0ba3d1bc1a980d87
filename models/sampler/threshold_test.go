package sampler

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// Each clip has a bound of its own: the quantile of its values, or 1.
func TestThresholding(t *testing.T) {
	const n, share = 1000, 0.9
	b := backendtest.Open(t)
	rng := rand.New(rand.NewPCG(7, 8))
	x := make([]float32, 3*n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * []float64{0.3, 2, 7}[i/n]) // the first is within [-1, 1], but for a few
	}
	exec, err := NewExec(b, func(x *Node) []*Node {
		same := func(x *Node, _ diffusion.LevelNodes) diffusion.Prediction { return diffusion.Prediction{X0: x, Eps: x} }
		p := Thresholded(same, share)(x, diffusion.LevelNodes{})
		off := Thresholded(same, 0)(x, diffusion.LevelNodes{})
		return []*Node{p.X0, p.Eps, off.X0}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(slices.Clone(x), 3, 1, 10, 100, 1))
	if err != nil {
		t.Fatal(err)
	}
	got, eps, off := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1]), tensors.MustCopyFlatData[float32](out[2])
	for clip := range 3 {
		sizes := make([]float64, n)
		for i := range sizes {
			sizes[i] = math.Abs(float64(x[clip*n+i]))
		}
		slices.Sort(sizes)
		bound := math.Max(1, sizes[int(share*n)-1])
		for i := range n {
			v := float64(x[clip*n+i])
			want := math.Max(-bound, math.Min(v, bound)) / bound
			if !(math.Abs(float64(got[clip*n+i])-want) <= 1e-5) {
				t.Fatalf("clip %d: %g becomes %g, want %g by the bound %g", clip, v, got[clip*n+i], want, bound)
			}
		}
	}
	if !slices.Equal(eps, x) || !slices.Equal(off, x) {
		t.Error("the noise is another, or the clean frames are, where nothing is asked for")
	}
}
