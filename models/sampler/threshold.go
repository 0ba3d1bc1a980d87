package sampler

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/diffusion"
)

// Thresholded is a denoiser with dynamic thresholding (Saharia et al. 2022, Imagen, section 2.3): where
// more than the share 1 - share of the values of a clip's clean frames lie outside of [-1, 1], all of
// them are divided by the bound s that leaves so many outside, after they were kept in [-s, s]. The
// predicted noise stays as it is. With a share of 0 it is the denoiser itself.
func Thresholded(denoise Denoiser, share float64) Denoiser {
	if share == 0 {
		return denoise
	}
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		p := denoise(x, at)
		bound := MaxScalar(quantile(Abs(p.X0), share), 1)
		p.X0 = Div(Max(Neg(bound), Min(bound, p.X0)), bound)
		return p
	}
}

// halvings is how often the range in which a quantile lies is halved: to the last bit of a float32.
const halvings = 24

// quantile is the least bound that at least a share of the values of each clip don't exceed, [batch, 1,
// ...]. It is found by halving its range, as no backend has to sort for it. No value is below 0.
func quantile(x *Node, share float64) *Node {
	axes := make([]int, x.Rank()-1)
	for i := range axes {
		axes[i] = i + 1
	}
	high := ReduceAndKeep(x, ReduceMax, axes...)
	low := ZerosLike(high)
	for range halvings {
		middle := MulScalar(Add(low, high), 0.5)
		within := ReduceAndKeep(ConvertDType(LessOrEqual(x, middle), x.DType()), ReduceMean, axes...)
		enough := GreaterOrEqual(within, Scalar(x.Graph(), x.DType(), share))
		low, high = Where(enough, low, middle), Where(enough, middle, high)
	}
	return high
}
