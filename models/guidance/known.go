package guidance

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// Known says which frames of a block are given, although the network has no input for them: with
// them its past is longer than that of the network, or its future is.
type Known struct {
	Past   int `yaml:"known_past" range:"[0, 1024]" doc:"How many of the first frames of a block are given. The past is longer by so many frames, and a block makes so many fewer."`
	Future int `yaml:"known_future" range:"[0, 1024]" doc:"How many of the last frames of a block are given. The future is longer by so many frames, and a block makes so many fewer."`
}

func (k Known) known() Known { return k }

// check wants given frames, and some that are left to make. Of the two counts it reports the one
// that can be lowered to leave some.
func (k Known) check(f configs.Frames) (p configs.Problems) {
	const past, future, current = optionsPath + ".known_past", optionsPath + ".known_future", "frames.current"
	n := k.Past + k.Future
	p.Check(n > 0, future, k.Future, "1 or more, or known_past above 0", past)
	switch {
	case n == 0 || n < f.Current:
	case f.Current < 2:
		p.Check(false, current, f.Current, "2 or more with this guidance, which gives frames of a block and leaves some to make", past, future)
	case k.Past >= f.Current:
		p.Check(false, past, k.Past, fmt.Sprintf("less than %d, which is frames.current, because a block has to make a frame", f.Current), future, current)
	default:
		p.Check(false, future, k.Future, fmt.Sprintf("less than %d, which is frames.current less known_past, because a block has to make a frame", f.Current-k.Past),
			past, current)
	}
	return p
}

// Widened are the frames of windows: a model's frames, but with the frames of its block that a
// guidance gives as frames of the past and the future.
//
// A guidance that is wrong for the model, which [New] reports, gives none.
func Widened(c configs.Guidance, f configs.Frames) configs.Frames {
	p, err := New(c, f)
	if err != nil {
		return f
	}
	return p.Widened()
}

// Widened is [Widened] for the plan's guidance and model.
func (p *Plan) Widened() configs.Frames {
	f := p.frames
	f.Past += p.known.Past
	f.Future += p.known.Future
	f.Current -= p.known.Past + p.known.Future
	return f
}

// Block is what is known of a block while it is sampled. Both are nil if the guidance gives no
// frames.
type Block struct {
	Frames *Node // clean, [batch, frames, height, width, channels]; anything where they are not known
	Known  *Node // 1 for the frames that are known and 0 for the others, [batch, frames]
}

// Inputs is the number of tensors that [NewBlock] takes.
func (p *Plan) Inputs() int {
	if p.known == (Known{}) {
		return 0
	}
	return 2
}

// NewBlock makes a block of the inputs of a program: frames and signs, or nothing.
func NewBlock(inputs []*Node) Block {
	if len(inputs) == 0 {
		return Block{}
	}
	return Block{inputs[0], inputs[1]}
}

// where is which frames are known, shaped to be broadcast over them.
func (b Block) where() *Node { return InsertAxes(b.Known, -1, -1, -1) }

// Keep is the replacement of known frames (Ho et al. 2022, Video Diffusion Models, section 3.1): the
// predicted clean frames are the known ones where they are known.
//
// The paper replaces the noisy frames, by draws of q(z_s | x). Here the sampler makes these draws: the
// step of a sampler that is told the clean frames takes a draw of q(z_t | x) to one of q(z_s | x), and
// to the clean frames in the end. The noisy frames that sampling begins with have to be such a draw,
// and where variances are learned, those of known frames are the posterior's.
func (b Block) Keep(denoise sampler.Denoiser) sampler.Denoiser {
	if b.Known == nil {
		return denoise
	}
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		made := denoise(x, at)
		eps := diffusion.EpsFromX0(x, b.Frames, at.Signal, at.Noise)
		known := GreaterThan(BroadcastToDims(b.where(), x.Shape().Dimensions...), ScalarZero(x.Graph(), b.Known.DType()))
		made.X0, made.Eps = Where(known, b.Frames, made.X0), Where(known, eps, made.Eps)
		if made.Share != nil {
			made.Share = Where(known, ZerosLike(made.Share), made.Share)
		}
		return made
	}
}
