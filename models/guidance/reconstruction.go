package guidance

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// Reconstruction is [Replacement], and also draws the frames that are made to where the network
// reconstructs the known ones (Ho et al. 2022, Video Diffusion Models, eq. 7):
//
//	x0_b = D_b(z) - known_weight signal/2 grad_(z_b) |x_a - D_a(z)|^2
//
// a are the known frames, b those that are made, and z the noisy frames of both. A weight of 1 takes
// the known frames to be normal around D_a(z) with the deviation noise/signal.
type Reconstruction struct {
	Known  `yaml:",inline"`
	Weight float64 `yaml:"known_weight" range:"[0, 1000]" doc:"How strongly the made frames are drawn to where the network reconstructs the known ones: w_r in the paper, where values above 1 were best. 0 is replacement."`
}

func (Reconstruction) branches(f configs.Frames) []branch { return none{}.branches(f) }
func (Reconstruction) adjustment() Adjust                 { return plain }
func (r Reconstruction) reconstruction() float64          { return r.Weight }

// reconstructed is a denoiser with the formula of [Reconstruction]. The predictions of known frames
// stay as they are; [Block.Keep] replaces them.
func (b Block) reconstructed(denoise sampler.Denoiser, weight float64) sampler.Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		made := denoise(x, at)
		miss := ReduceAllSum(Mul(b.where(), Square(Sub(b.Frames, made.X0))))
		change := Mul(Mul(MulScalar(at.Signal, -weight/2), Gradient(miss, x)[0]), OneMinus(b.where()))
		x0 := Add(made.X0, change)
		return diffusion.Prediction{X0: x0, Eps: diffusion.EpsFromX0(x, x0, at.Signal, at.Noise), Share: made.Share}
	}
}
