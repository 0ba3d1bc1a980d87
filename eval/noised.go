package eval

import (
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// pastDraw is the draw of noise for a window's past frames: behind those of any steps.
const pastDraw = 1 << 31

// pastNoise is the noise level of the past frames of each video, [batch], and noise for them, shaped
// like them: see models.Cond. A video has the level of stabilized history guidance in a window that
// is given generated past frames, and 0 in others. times are those of [batch.times]. Both are nil for
// a network that isn't told of such noise.
func (b *batch) pastNoise(past []Frame, times []float32) (level, z *tensors.Tensor) {
	if !b.model.ToldPastNoise() {
		return nil, nil
	}
	levels, f := make([]float32, len(b.cases)), b.model.Frames
	for i := range levels {
		for k, frame := range past {
			if frame != nil && times != nil && b.generated(int(times[i*f.Total()+k])) {
				levels[i] = float32(b.guide.Stabilizes())
			}
		}
	}
	values := make([]float32, len(b.cases)*f.Past*b.size) // zeros unless a branch has noise
	if b.guide.Noises() {
		values = b.draws(pastDraw, f.Past)
	}
	return tensors.FromFlatDataAndDimensions(levels, len(b.cases)), tensors.FromFlatDataAndDimensions(values, b.model.ClipShape(len(b.cases), f.Past).Dimensions...)
}

// generated says whether a frame is one that windows make.
func (b *batch) generated(frame int) bool {
	return frame >= 0 && frame < b.job.Frames && !slices.Contains(b.job.Given, frame)
}
