package train

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// BenchmarkStep is a training step of a network of 32x32 frames, 2 + 2 + 2, width 32, two levels, with batches of 8.
func BenchmarkStep(b *testing.B) {
	for _, conditioning := range []string{"concat", "spatin"} {
		b.Run(conditioning, func(b *testing.B) { benchmarkStep(b, conditioning) })
	}
}

func benchmarkStep(b *testing.B, conditioning string) {
	c := configs.Default()
	c.Model.Conditioning = conditioning
	c.Frames.Past, c.Frames.Current, c.Frames.Future = 2, 2, 2
	c.Frames.Mask.Past, c.Frames.Mask.Future = 0.25, 0.25
	c.Data.Size, c.Train.Batch = 32, 8
	c.Model.Width, c.Model.Multipliers, c.Model.Blocks, c.Model.Attention, c.Model.Dropout = 32, []int{1, 2}, 1, []int{16}, 0
	c.Diffusion.Steps, c.Diffusion.BetaStart, c.Diffusion.BetaEnd = 100, 1e-3, 0.2
	m, err := models.New(c)
	if err != nil {
		b.Fatal(err)
	}
	be := backendtest.Open(b)
	store, err := firstState(be, m, c)
	if err != nil {
		b.Fatal(err)
	}
	s, err := newStepper(be, store, m, c)
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	clips := make([]float32, m.ClipShape(8, 6).Size())
	for i := range clips {
		clips[i] = float32(i%7)/3 - 1
	}
	step := func(i int) {
		batch := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(clips, m.ClipShape(8, 6).Dimensions...)}
		r, err := s.run(i+1, batch, func(batch int) *tensors.Tensor { return randomState(1, trainingStream, uint64(i), uint64(batch)) })
		if err != nil || r.Skipped {
			b.Fatal(r, err)
		}
		free(batch)
	}
	step(0)
	for i := 0; b.Loop(); i++ {
		step(i + 1)
	}
}
