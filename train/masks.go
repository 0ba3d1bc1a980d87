package train

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
)

// Masks says which conditioning frames each clip of a training step shows, the past's first. Steps
// are counted from 1. The masks are those that a training on this backend draws. There are no signs
// if the experiment has no such frames.
func Masks(backend compute.Backend, c *configs.Config, step int) ([][]bool, error) {
	m, err := models.New(c)
	if err != nil {
		return nil, err
	}
	frames := c.Frames.Past + c.Frames.Future
	masks := make([][]bool, c.Train.Batch*c.Train.Accumulate)
	if frames == 0 {
		return masks, nil
	}
	draw, err := NewExec(backend, func(random, levels *Node) *Node {
		_, d := m.Draw(random, levels)
		return d.Visible
	})
	if err != nil {
		return nil, fmt.Errorf("masks: %w", err)
	}
	defer draw.Finalize()
	draws := drawsOf(m, c, step-1)
	for k := range c.Train.Accumulate {
		random, levels := draws(k)
		visible, err := draw.Call(random, levels)
		if err != nil {
			return nil, fmt.Errorf("masks: %w", err)
		}
		signs, err := tensors.CopyFlatData[float32](visible[0])
		if err != nil {
			return nil, fmt.Errorf("masks: %w", err)
		}
		for i := range c.Train.Batch {
			for _, sign := range signs[i*frames : (i+1)*frames] {
				masks[k*c.Train.Batch+i] = append(masks[k*c.Train.Batch+i], sign == 1)
			}
		}
	}
	return masks, nil
}
