package eval

import (
	"context"
	"testing"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// BenchmarkSamplingStep is one network evaluation of sampling, for the network of train's BenchmarkStep.
func BenchmarkSamplingStep(b *testing.B) {
	c := configs.Default()
	c.Frames.Past, c.Frames.Current, c.Frames.Future = 2, 2, 2
	c.Data.Size = 32
	c.Model.Width, c.Model.Multipliers, c.Model.Blocks, c.Model.Attention, c.Model.Dropout = 32, []int{1, 2}, 1, []int{16}, 0
	c.Diffusion.Steps, c.Diffusion.BetaStart, c.Diffusion.BetaEnd = 100, 1e-3, 0.2
	c.Sampler = configs.Sampler{Name: "ddim", Steps: 1, Clip: true}
	m, err := models.New(c)
	if err != nil {
		b.Fatal(err)
	}
	be := backendtest.Open(b)
	store, err := m.Init(be, 1)
	if err != nil {
		b.Fatal(err)
	}
	g, err := NewGenerator(be, store, m, c.Sampler, 1, 8)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	past := make([]Frame, 2)
	for i := range past {
		past[i] = make(Frame, 32*32)
	}
	requests := make([]Request, 8)
	for i := range requests {
		requests[i] = Request{Clip: uint64(i), Past: past}
	}
	run := func() {
		err := g.Run(context.Background(), Predict, requests, 2, 2, func(int, int, []Frame) error { return nil }, nil)
		if err != nil {
			b.Fatal(err)
		}
	}
	run()
	for b.Loop() {
		run()
	}
}
