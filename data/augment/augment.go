// Package augment changes training clips at random, all frames of a clip alike. Validation and
// evaluation see clips as they are.
package augment

import (
	"hash/fnv"
	"math/rand/v2"

	"mcvd/configs"
	"mcvd/data/clips"
)

// kind is a way to change clips. A setting of [configs.Augment] switches it on. It either moves pixels,
// which keeps their bytes, or computes new ones. Both draw what happens to a clip; moves returns nil
// if that is nothing.
type kind struct {
	name     string // of the setting
	on       func(a configs.Augment) bool
	moves    func(rng *rand.Rand) func(clips.Clip) clips.Clip
	computes func(rng *rand.Rand, a configs.Augment) func(numbers)
}

// reverse plays clips backwards.
var reverse = kind{name: "reverse", on: func(a configs.Augment) bool { return a.Reverse }, moves: half(Reverse)}

// kinds lists all, in the order in which they are applied. Those that move pixels come first. A new
// one is one file and one line here.
var kinds = []kind{
	reverse,
	{name: "flip_vertical", on: func(a configs.Augment) bool { return a.FlipVertical }, moves: half(Upend)},
	{name: "zoom", on: func(a configs.Augment) bool { return a.Zoom > 0 }, computes: zoom},
	{name: "brightness", on: func(a configs.Augment) bool { return a.Brightness > 0 }, computes: brightness},
	{name: "contrast", on: func(a configs.Augment) bool { return a.Contrast > 0 }, computes: contrast},
	{name: "saturation", on: func(a configs.Augment) bool { return a.Saturation > 0 }, computes: saturation},
}

// numbers is a clip whose values, from 0 to 255, need be neither whole nor in this range yet. So a clip
// that is changed several times is rounded once.
type numbers struct {
	pix []float32
	clips.Clip
}

// Apply changes a clip as the settings say. source gives the random numbers of a kind, whose key is a
// function of its name. So what a kind draws doesn't depend on which others are switched on. The clip
// that is given stays as it is.
func Apply(c clips.Clip, a configs.Augment, source func(key uint64) *rand.Rand) clips.Clip {
	var n numbers
	for _, k := range kinds {
		if !k.on(a) {
			continue
		}
		rng := source(k.key())
		if k.moves != nil {
			if move := k.moves(rng); move != nil {
				c = move(c)
			}
			continue
		}
		if n.pix == nil {
			n = numbersOf(c)
		}
		k.computes(rng, a)(n)
	}
	if n.pix == nil {
		return c
	}
	return n.round()
}

// Reversed says whether [Apply] with the same settings and source turns a clip around in time.
func Reversed(a configs.Augment, source func(key uint64) *rand.Rand) bool {
	return reverse.on(a) && reverse.moves(source(reverse.key())) != nil
}

// key tells the random numbers of kinds apart.
func (k kind) key() uint64 {
	h := fnv.New64a()
	h.Write([]byte(k.name))
	return h.Sum64()
}

// half is a move that is made with probability one half.
func half(move func(clips.Clip) clips.Clip) func(*rand.Rand) func(clips.Clip) clips.Clip {
	return func(rng *rand.Rand) func(clips.Clip) clips.Clip {
		if rng.Uint64()&1 == 1 {
			return move
		}
		return nil
	}
}

// factor draws a factor from 1-most to 1+most, all equally likely.
func factor(rng *rand.Rand, most float64) float32 { return float32(1 + most*(2*rng.Float64()-1)) }

func numbersOf(c clips.Clip) numbers {
	n := numbers{make([]float32, len(c.Pix)), c}
	for i, v := range c.Pix {
		n.pix[i] = float32(v)
	}
	return n
}

// round is the clip of the nearest bytes.
func (n numbers) round() clips.Clip {
	c := clips.NewClip(n.Frames, n.Height, n.Width, n.Channels)
	for i, x := range n.pix {
		c.Pix[i] = uint8(min(max(x, 0), 255) + 0.5)
	}
	return c
}

// luma is the grey of a pixel, as in ITU-R BT.601.
func luma(pixel []float32) float32 {
	if len(pixel) == 1 {
		return pixel[0]
	}
	return 0.299*pixel[0] + 0.587*pixel[1] + 0.114*pixel[2]
}
