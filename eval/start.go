package eval

import (
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// plans are the steps of a window: those from pure noise, and those from a block of frames with
// noise added (sampler.start), which leave out the noisiest levels.
type plans struct {
	whole, later []sampler.Step
	skip         int             // how many levels later leaves out; 0 if there is no such start
	level        diffusion.Level // to which noise is added
	first        bool            // whether the first window is a later one, too
}

func newPlans(s sampler.Sampler, schedule diffusion.Schedule, c configs.Sampler) (p plans, err error) {
	levels, err := sampler.Levels(schedule, c)
	if err != nil {
		return p, err
	}
	p.first = c.PublishedStart
	if p.skip, err = sampler.Start(schedule, levels, c); err != nil {
		return p, err
	}
	p.whole, p.level = sampler.Plan(s, schedule, levels, c), levels[p.skip]
	p.later = sampler.Plan(s, schedule, levels[p.skip:], c)
	return p, nil
}

// fromFrames says whether a window starts from a block of frames, by how many windows there were
// before it.
func (p plans) fromFrames(window int) bool { return p.skip > 0 && (window > 0 || p.first) }

// of is the steps of a window.
func (p plans) of(window int) []sampler.Step {
	if p.fromFrames(window) {
		return p.later
	}
	return p.whole
}

// begin returns what the window starts from, its steps, and how many levels these leave out. The known
// frames of its block, those that are not nil, are at the level of the first step with the noise of the
// window's start.
//
// A later window starts from the whole block of the window before it, frame by frame. This does not
// depend on advance, nor on where the window lies, so where blocks overlap, the same frames are not
// in the same place. With sampler.published_start the first window does the same, as if pure noise
// were such a block.
func (b *batch) begin(known []Frame) (x *tensors.Tensor, steps []sampler.Step, skip int) {
	steps = b.plans.of(b.window)
	var values, noise []float32
	if b.plans.fromFrames(b.window) {
		frames := b.before
		if frames == nil {
			frames = b.normal(0)
		}
		skip = b.plans.skip
		noise = b.normal(skip) // that of the last level left out, which nothing else uses
		values = sampler.AddNoise(b.plans.level, frames, noise)
	} else {
		noise = b.normal(0)
		values = noise
	}
	b.noised(values, known, steps[0].From, noise)
	return b.tensor(values), steps, skip
}

// remember keeps the block of a window for the next one.
func (b *batch) remember(x *tensors.Tensor) (err error) {
	if b.plans.skip > 0 {
		b.before, err = tensors.CopyFlatData[float32](x)
	}
	return err
}
