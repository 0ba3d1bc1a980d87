package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"mcvd/train/runs"
)

// scoresDue says whether videos of the last step are to be scored, and are not yet.
func (o Options) scoresDue(p Progress) bool {
	every := o.Config.Train.Scores.Every
	return o.Score != nil && every > 0 && p.Step%every == 0 && p.Scored < p.Step
}

// score logs scores of generated videos. That may take long, so unlike a validation it ends with
// ctx. The checkpoint then says that it is still to be done, and the next process does it.
//
// Scores that can't be computed, as where the file of a network's weights is gone, are no reason to
// lose steps of training: a warning says why, and the line has no number for any metric.
func (t *trainer) score(ctx context.Context) error {
	p := &t.progress
	var scores map[string]float64
	var err error
	t.outside(fmt.Sprintf("scoring videos of step %d", p.Step), func() { scores, err = t.Score(ctx, t.store) })
	if ended, lost := t.ending(ctx.Err() != nil); lost != nil {
		return errors.Join(err, lost)
	} else if ended {
		return nil
	}
	if err != nil {
		t.Log.Warn("scores are left out", "step", p.Step, "because", err)
		scores = map[string]float64{}
		for _, name := range t.Config.Train.Scores.Metrics {
			scores[name] = math.NaN()
		}
	}
	line := runs.Line{Step: p.Step, Loss: runs.Number(math.NaN()), Scores: map[string]runs.Number{}}
	for name, x := range scores {
		line.Scores[name] = runs.Number(x)
	}
	if t.Report != nil {
		t.Report(line)
	}
	p.Scored = p.Step
	return t.write(line)
}
