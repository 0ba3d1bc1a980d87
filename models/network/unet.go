package network

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/nn"
)

// UNet is the published 2-D U-Net (MCVD, section 4): frames are channels, residual blocks in the
// manner of BigGAN, FIR resampling, attention at some sizes. Conditioning frames are more input
// channels, or enter through the norms.
//
// Its exported fields are its options; those of the way of conditioning stand beside them.
type UNet struct {
	Width         int     `yaml:"width" range:"[4, 4096]" doc:"The number of channels at full resolution."` // groups of norms need 4
	Multipliers   []int   `yaml:"multipliers" range:"[1, 64]" doc:"One factor for each level: its channels are width times this. Each level but the first halves the size."`
	Blocks        int     `yaml:"blocks" range:"[1, 64]" doc:"The number of residual blocks in a level; the way up has one more."`
	Attention     []int   `yaml:"attention" range:"[1, 4096]" doc:"The sizes in pixels, of the shorter side, at which levels have attention; the middle always has it. Of the default, sizes that the network does not have are left out."`
	HeadChannels  int     `yaml:"head_channels" range:"[1, 4096]" doc:"The number of channels of an attention head. Layers with fewer channels have one head."`
	Dropout       float64 `yaml:"dropout" range:"[0, 1)" doc:"The probability that training sets a value inside a residual block to 0."`
	MaskEmbedding bool    `yaml:"mask_embedding" doc:"Whether the network is told, by an embedding beside that of the noise level, if the past is visible. It needs past frames."`
	Self          bool    `yaml:"self_conditioning" doc:"Whether the network also sees the clean frames that it predicted in the evaluation before, as more input channels. Training then takes a third longer."`
	PerFrame      bool    `yaml:"level_per_frame" doc:"Whether the network is told a noise level for each of the current frames, instead of one for all. It needs 2 current frames or more."`
	Times         bool    `yaml:"frame_times" doc:"Whether the network is told the time of each frame, in frames of the video. Then frames.times may draw times at random, and windows may be given frames that are far away."`
	PastNoise     bool    `yaml:"past_noise" doc:"Whether the network is told how much noise the past frames have. Then training adds some, by frames.mask.noised, and guidance history may do so. It needs past frames."`
	Conditioning  string  `yaml:"conditioning" doc:"How past and future frames enter: concat (as more input channels) or spatin (through the norms; needs past or future frames)."`

	conditioning conditioning
}

// DefaultUNet is the U-Net that missing options mean.
func DefaultUNet() UNet {
	return UNet{Width: 64, Multipliers: []int{1, 2, 3, 4}, Blocks: 2, Attention: []int{8, 16, 32}, HeadChannels: 64, Dropout: 0.1,
		Conditioning: "concat"}
}

// Caches says whether the way of conditioning uses the cache.
func (u *UNet) Caches() bool { return u.conditioning.caches() }

// SelfConditioned says whether Graph uses Input.Before.
func (u *UNet) SelfConditioned() bool { return u.Self }

// LevelPerFrame says whether Input.Label has a label for each frame.
func (u *UNet) LevelPerFrame() bool { return u.PerFrame }

// ToldTimes says whether Graph uses Input.Times.
func (u *UNet) ToldTimes() bool { return u.Times }

// ToldPastNoise says whether Graph uses Input.PastNoise.
func (u *UNet) ToldPastNoise() bool { return u.PastNoise }

// unetGraph is a UNet being built.
type unetGraph struct {
	*UNet
	b     *nn.Builder
	scope *model.Scope
	in    Input
	temb  *Node // embedding of timestep and mask after SiLU, [batch, features]
	cond  *Node // past and future as channels, [batch, height, width, frames*channels]; nil if there are none
}

// Graph builds the network. Its layers, in the order in which Trace sees them, are those of the
// published code.
func (u *UNet) Graph(b *nn.Builder, scope *model.Scope, in Input) *Node {
	n := &unetGraph{UNet: u, b: b, scope: scope, in: in}
	if cond := foldAll(in.Past, in.Future); cond != nil {
		n.cond = b.Image(cond)
	}
	n.embed()
	x := foldAll(in.X, in.Before)
	h := n.conv("in", u.conditioning.input(n, b.Image(x)), u.Width, 1)
	h, skips := n.down(h)
	h = n.up(n.middle(h), skips)
	h = b.Layer("norm", u.conditioning.norm(n, scope.At("norm"), h, nil, nil))
	frames := in.X.Shape().Dimensions[1]
	return ConvertDType(unfold(n.conv("out", h, frames*in.outputs(), 0), frames), in.X.DType())
}

// embed computes the embedding that every residual block sees.
func (n *unetGraph) embed() {
	wide := 4 * n.Width
	dense := func(name string, x *Node) *Node {
		return n.b.Layer(name, n.b.Dense(at(n.scope, name), x, wide, 1))
	}
	e := dense("time0", n.levels())
	e = dense("time1", n.b.SiLU(e))
	if n.Times {
		times := dense("times0", besides(n.in.Times, n.Width))
		e = Add(e, dense("times1", n.b.SiLU(times)))
	}
	if n.PastNoise {
		noise := dense("past0", nn.TimeEmbedding(MulScalar(n.in.PastNoise, labels), n.Width))
		e = Add(e, dense("past1", n.b.SiLU(noise)))
	}
	if n.MaskEmbedding {
		g := e.Graph()
		table := nn.Param(g, n.scope.At("mask"), "w", nn.Init{Normal: true}, 2, n.Width/2)
		// The share of the past's frames that are visible: 0 or 1 for the blocks that training
		// hides.
		visible := ReduceAndKeep(Slice(n.in.Visible, AxisRange(), AxisRange(0, n.in.Past.Shape().Dimensions[1])), ReduceMean, 1)
		hidden := OneMinus(visible)
		row := func(i int) *Node { return Slice(table, AxisElem(i)) }
		m := Add(Mul(hidden, row(0)), Mul(visible, row(1)))
		e = Concatenate([]*Node{e, n.b.Layer("mask", m)}, -1)
	}
	n.temb = n.b.SiLU(e)
}

// labels is what a level from 0 to 1 is multiplied by before it is embedded, because embeddings are
// made for numbers up to about 1000.
const labels = 1000

// levels is the embedding of the noise level, [batch, width]; or those of all frames side by side,
// [batch, frames*width], as frames are stacked as channels. The layer behind it has weights for each
// frame, so it sees which frame has which level.
func (n *unetGraph) levels() *Node {
	if !n.PerFrame {
		return nn.TimeEmbedding(n.in.Label, n.Width)
	}
	return besides(n.in.Label, n.Width)
}

// besides is the embeddings of numbers [batch, frames], those of a clip's frames side by side:
// [batch, frames*features].
func besides(numbers *Node, features int) *Node {
	batch := numbers.Shape().Dimensions[0]
	return Reshape(nn.TimeEmbedding(Reshape(numbers, -1), features), batch, -1)
}

// down runs the levels from the largest to the smallest, and returns the outputs that the way up
// uses.
func (n *unetGraph) down(h *Node) (_ *Node, skips []*Node) {
	skips = []*Node{h}
	for level, m := range n.Multipliers {
		for i := range n.Blocks {
			h = n.block(fmt.Sprintf("down%d/%d", level, i), n.Width*m, same, h)
			if n.attends(h) {
				h = n.attention(fmt.Sprintf("down%d/%d/attention", level, i), h)
			}
			skips = append(skips, h)
		}
		if level < len(n.Multipliers)-1 {
			h = n.block(fmt.Sprintf("down%d/half", level), n.Width*m, half, h)
			skips = append(skips, h)
		}
	}
	return h, skips
}

// middle runs what stands between the way down and the way up.
func (n *unetGraph) middle(h *Node) *Node {
	h = n.block("middle/0", h.Shape().Dimensions[3], same, h)
	h = n.attention("middle/attention", h)
	return n.block("middle/1", h.Shape().Dimensions[3], same, h)
}

// up runs the levels back. Each block also gets an output of the way down, the last one first.
func (n *unetGraph) up(h *Node, skips []*Node) *Node {
	for level, m := range slices.Backward(n.Multipliers) {
		for i := range n.Blocks + 1 {
			last := len(skips) - 1
			h = n.block(fmt.Sprintf("up%d/%d", level, i), n.Width*m, same, h, skips[last])
			skips = skips[:last]
		}
		if n.attends(h) {
			h = n.attention(fmt.Sprintf("up%d/attention", level), h)
		}
		if level > 0 {
			h = n.block(fmt.Sprintf("up%d/double", level), n.Width*m, double, h)
		}
	}
	return h
}

// change is what a residual block does to the size.
type change int

const (
	same change = iota
	half
	double
)

// block is a residual block with the given number of output channels. Its input is the images xs
// [B,H,W,C], joined along the channels. Its output has the same, half or double size.
func (n *unetGraph) block(name string, channels int, c change, xs ...*Node) *Node {
	return n.recompute(name, xs, func(s *model.Scope, xs []*Node) *Node {
		b, x := n.b, xs[0]
		if len(xs) > 1 {
			x = Concatenate(xs, -1)
		}
		in := x.Shape().Dimensions[3]
		h := n.normalize(s.At("norm0"), x)
		if c != same {
			h, x = b.Resample(h, c == double), b.Resample(x, c == double)
		}
		h = b.Conv(s.At("conv0"), h, 3, channels, 1)
		h = n.normalize(s.At("norm1"), h)
		h = b.Dropout(h, n.Dropout)
		if in != channels || c != same {
			x = b.Conv(s.At("skip"), x, 1, channels, 1)
		}
		return b.ConvTo(s.At("conv1"), h, 3, channels, 0, x)
	})
}

// recompute is a layer whose insides the backward pass may compute again, from images xs and from
// what the norms see.
func (n *unetGraph) recompute(name string, xs []*Node, f func(s *model.Scope, xs []*Node) *Node) *Node {
	s, inputs := at(n.scope, name), append(xs[:len(xs):len(xs)], n.temb)
	if n.cond != nil {
		inputs = append(inputs, n.cond)
	}
	return n.b.Layer(name, n.b.Recompute(s, inputs, func(inputs []*Node) *Node {
		temb, cond := n.temb, n.cond
		defer func() { n.temb, n.cond = temb, cond }()
		n.temb = inputs[len(xs)]
		if cond != nil {
			n.cond = inputs[len(xs)+1]
		}
		return f(s, inputs[:len(xs)])
	}))
}

// normalize is the norm of the way of conditioning, with a scale and a shift that the embedding
// gives.
func (n *unetGraph) normalize(s *model.Scope, x *Node) *Node {
	c := x.Shape().Dimensions[3]
	e := n.b.Dense(s.At("time"), n.temb, 2*c, 1)
	scale, shift := Slice(e, AxisRange(), AxisRange(0, c)), Slice(e, AxisRange(), AxisRange(c))
	return n.conditioning.norm(n, s, x, OnePlus(scale), shift)
}

func (n *unetGraph) conv(name string, x *Node, channels int, scale float64) *Node {
	return n.b.Layer(name, n.b.Conv(at(n.scope, name), x, 3, channels, scale))
}

func (n *unetGraph) attention(name string, x *Node) *Node {
	return n.recompute(name, []*Node{x}, func(s *model.Scope, xs []*Node) *Node { return n.b.Attention(s, xs[0], n.HeadChannels) })
}

func (n *unetGraph) attends(x *Node) bool {
	d := x.Shape().Dimensions
	return slices.Contains(n.Attention, min(d[1], d[2]))
}

// at is the scope at a path below s.
func at(s *model.Scope, path string) *model.Scope {
	for name := range strings.SplitSeq(path, "/") {
		s = s.At("%s", name)
	}
	return s
}
