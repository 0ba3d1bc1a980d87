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
	"mcvd/models/diffusion"
	"mcvd/models/nn"
	"mcvd/train/runs"
)

const (
	// validationClips is about the number of clips of a validation, which takes whole batches.
	validationClips = 128
	// noiseBins is the number of equal parts of the schedule into which the validation loss is
	// divided.
	noiseBins = 5
)

// validator measures the errors of the averaged weights on the validation split. Clips, noise
// levels, noise and masks are the same every time, so its numbers can be compared. It computes in
// float32, whatever training uses.
type validator struct {
	exec    *model.Exec
	dataset clips.Dataset
	config  *configs.Config
	model   objective
}

func newValidator(backend compute.Backend, store *model.Store, m objective, c *configs.Config, ds clips.Dataset) (*validator, error) {
	exec, err := model.NewExec(backend, store, func(scope *model.Scope, clip, random, levels *Node) (loss, x0 *Node) {
		scope.Store().SetTraining(clip.Graph(), true) // else the Go backend keeps the weights of the first validation
		_, draws := m.Draw(random, levels)
		return m.ErrorGraph(nn.NewBuilder(backend), scope.At(models.EMAScope), numbers(clip), draws)
	})
	if err != nil {
		return nil, fmt.Errorf("validation: %w", err)
	}
	return &validator{exec.WithName("validation"), ds, c, m}, nil
}

// validation is the result of a validation.
type validation struct {
	loss float64       // divided by the number of values; the mean over the whole schedule
	bins []runs.Number // the mean over each fifth of it, the least noisy first; NaN for a fifth without any level
	x0   float64       // the mean squared error of predicted clean frames, kept in [-1, 1]; 0 of a classifier
	// accuracy is the share of clips that a classifier classifies right, by fifths as in bins; nil
	// of other models.
	accuracy []runs.Number
}

// run measures clips at levels that are spread evenly over the schedule. alive is called after each batch.
func (v *validator) run(ctx context.Context, alive func()) (validation, error) {
	batch, frames := v.config.Train.Batch, v.config.Frames.Total()
	batches := max(1, (validationClips+batch-1)/batch)
	var second float64 // the mean of the objective's second result
	sums, seconds, counts := make([]float64, noiseBins), make([]float64, noiseBins), make([]float64, noiseBins)
	for b := range batches {
		if err := context.Cause(ctx); err != nil {
			return validation{}, err
		}
		pix := make([]uint8, 0, v.model.ClipShape(batch, frames).Size())
		var levels []diffusion.Level
		bins, labels := make([]int, batch), make([][]string, batch)
		for i := range batch {
			// Clips and levels are taken in strides, so that each batch, and each bin, has all
			// kinds of both.
			n, total := i*batches+b, batch*batches
			at := data.Fixed(v.dataset, v.config.Seed, n, frames)
			clip, err := data.Cut(v.dataset, at, frames)
			if err != nil {
				return validation{}, fmt.Errorf("validation: %w", err)
			}
			pix, labels[i] = append(pix, clip.Pix...), clips.Labels(v.dataset, at.Video)
			of, bin := v.model.EvenLevels(n, total, noiseBins)
			levels, bins[i] = append(levels, of...), bin
		}
		out, err := v.exec.Call(tensors.FromFlatDataAndDimensions(pix, v.model.ClipShape(batch, frames).Dimensions...),
			randomState(v.config.Seed, validationStream, uint64(b), 0),
			labelled(v.model, tensors.FromFlatDataAndDimensions(v.model.Table(levels), batch, len(levels)/batch, diffusion.Columns), labels))
		if err != nil {
			return validation{}, fmt.Errorf("validation: %w", err)
		}
		for i, l := range tensors.MustCopyFlatData[float32](out[0]) {
			sums[bins[i]] += float64(l)
			counts[bins[i]]++
		}
		for i, e := range tensors.MustCopyFlatData[float32](out[1]) {
			second += float64(e) / float64(batch*batches)
			seconds[bins[i]] += float64(e)
		}
		out[0].FinalizeAll()
		out[1].FinalizeAll()
		alive()
	}
	result := v.mean(sums, counts)
	if _, ok := v.model.(models.Classifier); ok {
		for i := range seconds {
			result.accuracy = append(result.accuracy, runs.Number(seconds[i]/counts[i]))
		}
	} else {
		result.x0 = second
	}
	return result, nil
}

// mean turns sums into losses divided by the number of values.
func (v *validator) mean(sums, counts []float64) (r validation) {
	values := float64(v.model.Values())
	total, count := 0.0, 0.0
	for i := range sums {
		total, count = total+sums[i], count+counts[i]
		r.bins = append(r.bins, runs.Number(sums[i]/counts[i]/values))
	}
	r.loss = total / count / values
	return r
}

func (v *validator) close() { v.exec.Finalize() }
