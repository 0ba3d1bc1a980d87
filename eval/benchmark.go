package eval

import (
	"context"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/devices"
)

// Benchmark times network evaluations of sampling in one window of batch videos, predicted with
// first weights. It also times what a window needs before its first step. The first time includes
// building and compiling the programs.
func Benchmark(ctx context.Context, backend compute.Backend, c *configs.Config, batch, steps int) (window time.Duration, times []time.Duration, err error) {
	m, err := models.New(c)
	if err != nil {
		return 0, nil, err
	}
	store, err := m.Init(backend, c.Seed)
	if err != nil {
		return 0, nil, err
	}
	defer store.Finalize()
	plan := c.Sampler
	plan.Steps, plan.LastDenoise, plan.Start, plan.PublishedLastDenoiseLabel, plan.PublishedStart = min(steps, c.Diffusion.Steps), false, 0, false, false
	plan.Guidance, plan.FrameLag = configs.Guidance{}, 0
	start := time.Now()
	g, err := NewGenerator(backend, store, m, plan, c.Seed, batch, 1)
	if err != nil {
		return 0, nil, err
	}
	defer g.Close()
	b, err := g.newBatch(Generate, []Case{{}}, nil)
	if err != nil {
		return 0, nil, err
	}
	makeCond := func() ([]devices.Value, error) {
		return b.cond(make([]Frame, c.Frames.Past+c.Frames.Future), nil) // all hidden
	}
	cond, err := makeCond() // the first time, it compiles
	if err != nil {
		return 0, nil, err
	}
	devices.Free(cond)
	begin := time.Now()
	if cond, err = makeCond(); err != nil {
		return 0, nil, err
	}
	defer devices.Free(cond)
	window = time.Since(begin)
	for len(times) < steps {
		if len(times) > 0 {
			start = time.Now()
		}
		x, err := g.loop.Run(ctx, b.noise(0), cond, g.plans.whole, func(step int) *tensors.Tensor { return b.noise(1 + step) }, func() {
			times = append(times, time.Since(start))
			start = time.Now()
		})
		if err != nil {
			return 0, nil, err
		}
		x.FinalizeAll()
	}
	return window, times[:steps], nil
}
