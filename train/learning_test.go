package train

import (
	"context"
	"math"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// still is a data set of one clip.
type still struct{ size int }

func (still) Len() int          { return 1 }
func (still) Name(i int) string { return "still" }
func (still) Frames(int) int    { return 12 }

func (s still) Clip(_, _, frames int) (clips.Clip, error) { return waves{s.size, 1}.Clip(0, 3, frames) }

func TestEveryStepDrawsAnew(t *testing.T) {
	b, c := backendtest.Open(t), toy()
	c.Optimizer.LearningRate, c.Optimizer.WarmupSteps = 1e-12, 0 // the weights stay
	c.Train.Accumulate, c.Train.ValidateEvery, c.Train.CheckpointEvery, c.Data.Flip = 1, 0, 1, false
	dir := t.TempDir()
	o := options(b, c, dir)
	o.Train = still{8}
	mustTrain(t, o)
	seen := map[runs.Number]int{}
	for _, line := range lines(t, dir) {
		if other, ok := seen[line.Loss]; ok {
			t.Errorf("steps %d and %d have the same loss", other, line.Step)
		}
		seen[line.Loss] = line.Step
	}
}

// The rate of a warm-up tells the number of the update: it counts from 1, and a skipped step is not
// counted.
func TestUpdatesAreCountedWithoutSkippedSteps(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Optimizer.LearningRate, c.Optimizer.WarmupSteps = 1e-3, 100
	c.Train.Steps, c.Train.ValidateEvery, c.Train.CheckpointEvery = 6, 0, 1
	dir := t.TempDir()
	if _, err := trainPoisoned(context.Background(), t, options(b, c, dir), 3, 4); err != nil {
		t.Fatal(err)
	}
	logged := lines(t, dir)
	if len(logged) != 6 || logged[2].Skipped != 1 || logged[3].Skipped != 1 {
		t.Fatalf("log %+v, want 6 lines, the third and the fourth of skipped steps", logged)
	}
	for i, line := range logged {
		if want := 1e-5 * []float64{1, 2, 0, 0, 3, 4}[i]; line.Skipped == 0 && !(math.Abs(float64(line.LearningRate)-want) <= 1e-12) {
			t.Errorf("step %d: learning rate %g, want %g", line.Step, line.LearningRate, want)
		}
	}
}

func TestLearning(t *testing.T) {
	b, c := backendtest.Open(t), toy()
	c.Model.Options["width"], c.Model.Options["dropout"] = 8, 0
	c.Optimizer.LearningRate, c.Optimizer.WeightDecay = 5e-3, 0
	c.Train = configs.Train{Distillation: "progressive", Precision: "float32", Devices: 1, Batch: 8, Steps: 60, Accumulate: 1, Ranks: configs.Ranks{Name: "gradients"}, CheckpointEvery: 1000, Keep: 1, OnDivergence: "stop", ValidateEvery: 20, Scores: c.Train.Scores}
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	var training, validation []float64
	for _, line := range lines(t, dir) {
		if line.Validation == nil {
			training = append(training, float64(line.Loss))
		} else {
			validation = append(validation, float64(line.Loss))
		}
	}
	first, last := training[0], training[len(training)-1]
	if !(last <= first/2) {
		t.Errorf("the loss went from %g to %g in 60 steps, want half of it", first, last)
	}
	t.Logf("loss from %.3f to %.3f in 60 steps; of validation, of averaged weights: %.3f", first, last, validation)
	if end := validation[len(validation)-1]; !(end <= validation[0]/1.2) {
		t.Errorf("validation losses %v do not fall", validation)
	}
}
