package network

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/nn"
)

// spatin gives past and future frames to the norms of the network: space-time-adaptive
// normalization (MCVD, section 4.2, after SPADE, Park et al. 2019). Each norm computes gamma and
// beta from the frames, a value of each for every pixel and channel.
type spatin struct {
	Width int `yaml:"spatin_width" range:"[1, 4096]" doc:"The number of channels of the hidden layer in each of SPATIN's norms."`
}

// spatinEpsilon is the epsilon of the SPATIN network's norms.
const spatinEpsilon = 1e-6

func (spatin) input(_ *unetGraph, x *Node) *Node { return x }

// norm is group norm, times 1 + gamma, plus beta; then times scale, plus shift; then SiLU:
//
//	[gamma, beta] = conv3x3(SiLU(conv3x3(frames resized to the size of x)))
//
// Parameters: shared, gamma and beta, three convolutions. Gamma and beta come from one convolution
// with the weights of both.
func (p spatin) norm(n *unetGraph, s *model.Scope, x, scale, shift *Node) *Node {
	d := x.Shape().Dimensions
	gain, beta := n.in.Cache.pair(s, func() (*Node, *Node) {
		hidden := n.b.SiLU(n.b.Conv(s.At("shared"), n.frames(d[1], d[2]), 3, p.Width, 1))
		maps := n.b.Convs([]*model.Scope{s.At("gamma"), s.At("beta")}, hidden, 3, d[3], 1)
		return OnePlus(maps[0]), maps[1]
	})
	return n.b.SpatialNorm(x, gain, beta, scale, shift, nn.Groups(d[3]), spatinEpsilon, true)
}

func (spatin) caches() bool { return true }

// frames is the conditioning frames as channels, resized by nearest neighbour: the size of a level
// divides that of a frame.
func (n *unetGraph) frames(height, width int) *Node {
	d := n.cond.Shape().Dimensions
	if d[1] == height {
		return n.cond
	}
	return Slice(n.cond, AxisRange(), AxisRange().Stride(d[1]/height), AxisRange().Stride(d[2]/width))
}
