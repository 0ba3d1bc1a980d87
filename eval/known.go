package eval

import (
	"fmt"
	"iter"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// Where a guidance gives frames of the block (guidance.Widened), a window has more past or future
// frames than the network has inputs. The last ones of its past are then the first frames of the
// block, and the first ones of its future the last frames of the block. What is to be made lies
// between them.

// within lists frames of a block that belong to a wider window: the last ones of its past, nothing for
// those that are made, the first ones of its future. given has what the window is given, and rest what
// is left for the network.
func within[T any](given []T, wide, model configs.Frames, made T) (block, rest []T) {
	first := slices.Clone(given[model.Past:wide.Past])
	last := given[wide.Past : wide.Past+wide.Future-model.Future]
	block = slices.Concat(first, slices.Repeat([]T{made}, wide.Current), last)
	return block, slices.Concat(given[:model.Past], given[wide.Past+len(last):])
}

// Narrow turns windows of widened frames into what the network of a model of those frames sees: the
// given frames of the block stand among those that it makes.
func Narrow(windows iter.Seq[Window], wide, model configs.Frames) iter.Seq[Window] {
	return func(yield func(Window) bool) {
		for w := range windows {
			if !yield(w.narrow(wide, model)) {
				return
			}
		}
	}
}

// narrow is [Narrow] for one window.
func (w Window) narrow(wide, model configs.Frames) Window {
	if w.Make == nil {
		return w
	}
	block, given := within(w.Given, wide, model, None)
	copy(block[wide.Past-model.Past:], w.Make)
	narrow := Window{Given: given, Make: block}
	if w.Times != nil {
		narrow.Times = slices.Clone(block)
		copy(narrow.Times[wide.Past-model.Past:], w.Times)
		narrow.Times = beside(narrow.Times)
	}
	return narrow
}

// known are the inputs of guidance.NewBlock for what is known of a block, nil frames for the others.
func (b *batch) known(block []Frame) ([]devices.Value, error) {
	if b.guide.Inputs() == 0 {
		return nil, nil
	}
	var inputs []devices.Value
	for _, t := range []*tensors.Tensor{b.join(block), b.visible(block)} {
		v, err := b.devices.Put(t, devices.Parts)
		if err != nil {
			devices.Free(inputs)
			return nil, fmt.Errorf("known frames: %w", err)
		}
		inputs = append(inputs, v)
	}
	return inputs, nil
}

// noised replaces values of a block at a level by what the forward process makes of the known frames
// with standard normal noise.
func (b *batch) noised(values []float32, block []Frame, level diffusion.Level, noise []float32) {
	for k, frame := range block {
		for i := range len(frame) / b.size {
			at, from := (i*len(block)+k)*b.size, i*b.size
			copy(values[at:at+b.size], sampler.AddNoise(level, frame[from:from+b.size], noise[at:at+b.size]))
		}
	}
}
