package eval

import (
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// start says from what a window starts: pure noise, or a block of frames with noise added (sampler.start).
type start struct {
	skip  int             // how many of the plan's moves the latter leaves out; 0 if there is none
	level diffusion.Level // to which noise is added
	first bool            // whether the first window leaves them out, too
}

func newStart(s *diffusion.Schedule, plan []sampler.Step, c configs.Sampler) (start, error) {
	skip, err := sampler.Start(s, plan, c)
	return start{skip, plan[skip].From, c.ReferenceStart}, err
}

// begin returns what the window starts from, and how many of the plan's moves that leaves out.
//
// A later window starts from the whole block that the window before it made, frame by frame, whatever advance is and wherever the
// window lies: of overlapping blocks the same frames are not in the same place. With sampler.reference_start the first window does
// as if pure noise were such a block.
func (b *batch) begin() (x *tensors.Tensor, from int) {
	frames := b.before
	if frames == nil && b.start.first {
		frames = b.normal(0)
	}
	if b.start.skip == 0 || frames == nil {
		return b.noise(0), 0
	}
	// The noise is that of the last move left out: nobody else uses it.
	return b.tensor(sampler.AddNoise(b.start.level, frames, b.normal(b.start.skip))), b.start.skip
}

// remember keeps the block that a window made for the next one.
func (b *batch) remember(x *tensors.Tensor) (err error) {
	if b.start.skip > 0 {
		b.before, err = tensors.CopyFlatData[float32](x)
	}
	return err
}
