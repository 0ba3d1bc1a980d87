package train

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/devices"
)

// Benchmark times steps of training on clips of consecutive frames that stay the same, without data, log and checkpoints.
// The first time includes building and compiling the programs.
func Benchmark(ctx context.Context, backend compute.Backend, c *configs.Config, count int) ([]time.Duration, error) {
	m, err := models.New(c)
	if err != nil {
		return nil, err
	}
	store, err := firstState(backend, m, c)
	if err != nil {
		return nil, err
	}
	defer store.Finalize()
	start := time.Now()
	steps := objective(m)
	if m.Classes() != nil {
		steps = models.Classifier{Model: m}
	}
	s, err := newStepper(backend, store, steps, c, all(c))
	if err != nil {
		return nil, err
	}
	defer s.close()
	shape := m.ClipShape(c.Train.Batch, c.Frames.Total())
	clips := make([]uint8, shape.Size())
	for i := range clips {
		clips[i] = uint8(i % 7 * 42)
	}
	times := slices.Repeat([]*tensors.Tensor{consecutive(c)}, c.Train.Accumulate)
	labels := slices.Repeat([][][]string{make([][]string, c.Train.Batch)}, c.Train.Accumulate) // none
	var took []time.Duration
	for i := range count {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		batches := make([]devices.Value, c.Train.Accumulate)
		for k := range batches {
			if batches[k], err = s.devices.Put(tensors.FromFlatDataAndDimensions(clips, shape.Dimensions...), devices.Parts); err != nil {
				return nil, err
			}
		}
		r, err := s.run(i+1, batches, labelledDraws(steps, drawsOf(m, c, i), labels), times...)
		devices.Free(batches)
		if err != nil {
			return nil, err
		}
		if r.Skipped {
			return nil, fmt.Errorf("step %d: loss or gradients are not finite", i+1)
		}
		took = append(took, time.Since(start))
		start = time.Now()
	}
	return took, nil
}

// consecutive are the times of a batch's frames that follow each other, [batch, frames].
func consecutive(c *configs.Config) *tensors.Tensor {
	n := c.Frames.Total()
	times := make([]float32, c.Train.Batch*n)
	for i := range times {
		times[i] = float32(i % n)
	}
	return tensors.FromFlatDataAndDimensions(times, c.Train.Batch, n)
}
