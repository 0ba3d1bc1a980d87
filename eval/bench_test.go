package eval

import (
	"context"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// BenchmarkSamplingStep is one network evaluation of sampling, for the networks of train's BenchmarkStep; SPATIN with the maps of a
// window made before, and in every step. BenchmarkConditioning is what makes them.
func BenchmarkSamplingStep(b *testing.B) {
	for name, conditioning := range map[string]string{"concat": "concat", "spatin": "spatin", "spatin-uncached": "spatin"} {
		b.Run(name, func(b *testing.B) {
			batch := benchmarkBatch(b, conditioning)
			if name == "spatin-uncached" {
				batch.maps.Finalize()
				batch.maps = nil
			}
			cond := benchmarkCond(b, batch)
			step := func() {
				x, err := batch.loop.Run(context.Background(), batch.noise(0), cond, 0, nil, nil)
				if err != nil {
					b.Fatal(err)
				}
				x.FinalizeAll()
			}
			step()
			for b.Loop() {
				step()
			}
		})
	}
}

func BenchmarkConditioning(b *testing.B) {
	batch := benchmarkBatch(b, "spatin")
	free(benchmarkCond(b, batch))
	for b.Loop() {
		free(benchmarkCond(b, batch))
	}
}

func benchmarkCond(b *testing.B, batch *batch) []*tensors.Tensor {
	cond, err := batch.cond(batch.frames(2, past), batch.frames(2, future), Predict)
	if err != nil {
		b.Fatal(err)
	}
	return cond
}

// benchmarkBatch is eight videos of a network of 32x32 frames, 2 + 2 + 2, width 32, two levels.
func benchmarkBatch(b *testing.B, conditioning string) *batch {
	c := configs.Default()
	c.Frames.Past, c.Frames.Current, c.Frames.Future = 2, 2, 2
	c.Data.Size = 32
	c.Model.Conditioning = conditioning
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
	b.Cleanup(g.Close)
	past := make([]Frame, 2)
	for i := range past {
		past[i] = make(Frame, 32*32)
	}
	requests := make([]Request, 8)
	for i := range requests {
		requests[i] = Request{Clip: uint64(i), Past: past}
	}
	batch, err := g.newBatch(Predict, requests, nil)
	if err != nil {
		b.Fatal(err)
	}
	return batch
}
