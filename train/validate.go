package train

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/nn"
)

const (
	// validationClips is about how many clips a validation looks at: whole batches.
	validationClips = 128
	// noiseBins is into how many equal ranges of timesteps the validation loss is divided.
	noiseBins = 5
)

// validator measures the loss of the averaged weights on the validation split. Clips, timesteps, noise and masks are the same
// every time, so its numbers can be compared; it computes in float32 whatever training does.
type validator struct {
	exec    *model.Exec
	dataset clips.Dataset
	config  *configs.Config
	model   *models.Model
}

func newValidator(backend compute.Backend, store *model.Store, m *models.Model, c *configs.Config, ds clips.Dataset) (*validator, error) {
	exec, err := model.NewExec(backend, store, func(scope *model.Scope, clip, random, t *Node) *Node {
		scope.Store().SetTraining(clip.Graph(), true) // else the Go backend keeps the weights of the first validation
		_, draws := m.Draw(random, clip.Shape().Dimensions[0])
		draws.T = t
		return m.LossGraph(nn.NewBuilder(backend), scope.At(models.EMAScope), clip, draws)
	})
	if err != nil {
		return nil, fmt.Errorf("validation: %w", err)
	}
	return &validator{exec.WithName("validation"), ds, c, m}, nil
}

// run returns the loss by value: the mean over all timesteps, and over each bin of them, NaN for a bin without any (they are fewer
// than the bins then).
func (v *validator) run(ctx context.Context) (loss float64, bins []Number, err error) {
	batch, frames := v.config.Train.Batch, v.config.Frames.Total()
	batches := max(1, (validationClips+batch-1)/batch)
	sums, counts := make([]float64, noiseBins), make([]float64, noiseBins)
	for b := range batches {
		if err := context.Cause(ctx); err != nil {
			return 0, nil, err
		}
		pix := make([]float32, 0, v.model.ClipShape(batch, frames).Size())
		t := make([]int32, batch)
		for i := range batch {
			// Strided, so that each batch, and each bin, sees all kinds of clips and timesteps.
			n, total := i*batches+b, batch*batches
			clip, err := data.Fixed(v.dataset, v.config.Seed, n, frames)
			if err != nil {
				return 0, nil, fmt.Errorf("validation: %w", err)
			}
			pix = append(pix, clips.ToFloat(clip)...)
			t[i] = int32(n * v.config.Diffusion.Steps / total)
		}
		out, err := v.exec.Call(tensors.FromFlatDataAndDimensions(pix, v.model.ClipShape(batch, frames).Dimensions...),
			randomState(v.config.Seed, validationStream, uint64(b), 0), t)
		if err != nil {
			return 0, nil, fmt.Errorf("validation: %w", err)
		}
		for i, l := range tensors.MustCopyFlatData[float32](out[0]) {
			bin := int(t[i]) * noiseBins / v.config.Diffusion.Steps
			sums[bin] += float64(l)
			counts[bin]++
		}
		out[0].FinalizeAll()
	}
	values := float64(v.model.ClipShape(1, v.config.Frames.Current).Size())
	total, count := 0.0, 0.0
	for i := range sums {
		total, count = total+sums[i], count+counts[i]
		bins = append(bins, Number(sums[i]/counts[i]/values))
	}
	return total / count / values, bins, nil
}

func (v *validator) close() { v.exec.Finalize() }
