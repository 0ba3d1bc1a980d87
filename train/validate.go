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
	"mcvd/train/ranks"
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
	ranks   *ranks.Ranks
}

func newValidator(backend compute.Backend, store *model.Store, m objective, c *configs.Config, ds clips.Dataset, r *ranks.Ranks) (*validator, error) {
	from, _ := r.Part(c.Train.Batch)
	exec, err := model.NewExec(backend, store, func(scope *model.Scope, clip, random, levels *Node) (loss, x0 *Node) {
		scope.Store().SetTraining(clip.Graph(), true) // else the Go backend keeps the weights of the first validation
		_, draws := m.Draw(nn.Random{State: random, From: from, Batch: c.Train.Batch}, levels)
		return m.ErrorGraph(nn.NewBuilder(backend), scope.At(models.EMAScope), numbers(clip), draws)
	})
	if err != nil {
		return nil, fmt.Errorf("validation: %w", err)
	}
	return &validator{exec.WithName("validation"), ds, c, m, r}, nil
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
// Ranks take a part of each batch, and all of them get the result.
func (v *validator) run(ctx context.Context, alive func()) (validation, error) {
	batch := v.config.Train.Batch
	batches := max(1, (validationClips+batch-1)/batch)
	own := measured{Losses: make([][]float32, batches), Seconds: make([][]float32, batches)}
	var err error
	for b := range batches {
		if err = context.Cause(ctx); err == nil {
			if own.Losses[b], own.Seconds[b], err = v.measure(b, batches); err != nil {
				err = fmt.Errorf("validation: %w", err)
			}
		}
		if err != nil {
			break
		}
		alive()
	}
	parts, err := ranks.All(v.ranks, own, err)
	if err != nil {
		return validation{}, err
	}
	var second float64 // the mean of the objective's second result
	sums, seconds, counts := make([]float64, noiseBins), make([]float64, noiseBins), make([]float64, noiseBins)
	for b := range batches {
		i := 0
		for _, p := range parts {
			for k := range p.Losses[b] {
				_, bin := v.model.EvenLevels(i*batches+b, batch*batches, noiseBins)
				sums[bin] += float64(p.Losses[b][k])
				counts[bin]++
				second += float64(p.Seconds[b][k]) / float64(batch*batches)
				seconds[bin] += float64(p.Seconds[b][k])
				i++
			}
		}
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

// measured are the results of a process' clips, by batch.
type measured struct{ Losses, Seconds [][]float32 }

// measure measures this process' clips of a batch.
func (v *validator) measure(b, batches int) (losses, seconds []float32, err error) {
	batch, frames := v.config.Train.Batch, v.config.Frames.Total()
	from, to := v.ranks.Part(batch)
	pix := make([]uint8, 0, v.model.ClipShape(to-from, frames).Size())
	var levels []diffusion.Level
	var labels [][]string
	for i := from; i < to; i++ {
		// Clips and levels are taken in strides, so that each batch, and each bin, has all
		// kinds of both.
		n, total := i*batches+b, batch*batches
		at := data.Fixed(v.dataset, v.config.Seed, n, frames)
		clip, err := data.Cut(v.dataset, at, frames)
		if err != nil {
			return nil, nil, err
		}
		pix, labels = append(pix, clip.Pix...), append(labels, clips.Labels(v.dataset, at.Video))
		of, _ := v.model.EvenLevels(n, total, noiseBins)
		levels = append(levels, of...)
	}
	out, err := v.exec.Call(tensors.FromFlatDataAndDimensions(pix, v.model.ClipShape(to-from, frames).Dimensions...),
		randomState(v.config.Seed, validationStream, uint64(b), 0),
		labelled(v.model, tensors.FromFlatDataAndDimensions(v.model.Table(levels), to-from, len(levels)/(to-from), diffusion.Columns), labels))
	if err != nil {
		return nil, nil, err
	}
	losses, seconds = tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
	out[0].FinalizeAll()
	out[1].FinalizeAll()
	return losses, seconds, nil
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
