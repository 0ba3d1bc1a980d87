package train

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/nn"
)

// Mask is what training shows of a clip.
type Mask struct {
	// Visible says which conditioning frames are visible, the past's first. It is empty if the
	// experiment has no such frames.
	Visible []bool
	// Reversed says that the clip was turned around in time first.
	Reversed bool
}

// Masks says what of each clip a training step shows. Steps are counted from 1. The masks are those
// that a training on this backend draws.
func Masks(backend compute.Backend, c *configs.Config, step int) ([]Mask, error) {
	m, err := models.New(c)
	if err != nil {
		return nil, err
	}
	frames := c.Frames.Past + c.Frames.Future
	masks := make([]Mask, c.Train.Batch*c.Train.Accumulate)
	draw, err := NewExec(backend, func(random, levels *Node) (visible, reversed *Node) {
		_, d := m.Draw(nn.Random{State: random}, levels)
		visible, reversed = d.Visible, d.Reversed
		if visible == nil {
			visible = Zeros(random.Graph(), nn.F32(c.Train.Batch)) // nobody reads it
		}
		if reversed == nil {
			reversed = Zeros(random.Graph(), nn.F32(c.Train.Batch))
		}
		return visible, reversed
	})
	if err != nil {
		return nil, fmt.Errorf("masks: %w", err)
	}
	defer draw.Finalize()
	draws := drawsOf(m, c, step-1)
	for k := range c.Train.Accumulate {
		random, levels := draws(k)
		drawn, err := draw.Call(random, levels)
		if err != nil {
			return nil, fmt.Errorf("masks: %w", err)
		}
		visible, err := tensors.CopyFlatData[float32](drawn[0])
		if err != nil {
			return nil, fmt.Errorf("masks: %w", err)
		}
		reversed, err := tensors.CopyFlatData[float32](drawn[1])
		if err != nil {
			return nil, fmt.Errorf("masks: %w", err)
		}
		for i := range c.Train.Batch {
			mask := &masks[k*c.Train.Batch+i]
			mask.Reversed = reversed[i] == 1
			for _, sign := range visible[i*frames : (i+1)*frames] {
				mask.Visible = append(mask.Visible, sign == 1)
			}
		}
	}
	return masks, nil
}
