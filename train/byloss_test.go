package train

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/train/runs"
)

// byTheirLosses is a toy of so few levels that all have enough losses after some steps.
func byTheirLosses() *configs.Config {
	c := dense()
	c.Diffusion.Levels, c.Diffusion.Steps, c.Diffusion.Options["beta_end"], c.Sampler.Steps = diffusion.ByLoss, 3, 0.9, 3
	return c
}

// A run whose levels are drawn by their losses ends with the same bytes if it is stopped, before and
// after all levels have enough losses; and with others than one of uniform levels.
func TestLevelsDrawnByTheirLossesResume(t *testing.T) {
	b, c := backendtest.Open(t), byTheirLosses()
	whole, parts := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, whole))
	for _, stop := range []int{3, 9} {
		ctx, o := stopAt(options(b, c, parts), stop)
		if p, err := Train(ctx, o); err == nil || p.Step != stop {
			t.Fatalf("stopped at step %d with error %v, want step %d", p.Step, err, stop)
		}
	}
	mustTrain(t, options(b, c, parts))
	sameRuns(t, parts, whole, c)

	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, p, err := openCheckpoint(filepath.Join(whole, runs.CheckpointsDir, runs.CheckpointName(c.Train.Steps)))
	if err != nil {
		t.Fatal(err)
	}
	r := m.Running()
	if err := r.Restore(p.LevelLosses); err != nil {
		t.Fatal(err)
	}
	_, factors, _ := m.DrawByLoss(levelsOf(c, 1, 0), 100, r)
	if distinct := len(tally(factors)); distinct != 3 {
		t.Errorf("after %d steps, levels have %d factors, want 3: they are still drawn uniformly", p.Step, distinct)
	}
}

func tally(values []float64) map[float64]int {
	n := map[float64]int{}
	for _, v := range values {
		n[v]++
	}
	return n
}

// The draws of a step don't depend on the losses of its own batches; what is remembered of a loss is
// without the factor that makes up for its draw; and this factor is in the weight of the loss.
func TestLossesAreLearntAfterTheStep(t *testing.T) {
	c := byTheirLosses()
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l := &byLoss{running: m.Running()}
	for step := range 30 {
		for i := range 3 {
			l.running.Add(m.Schedule.Level(float64(i+1)/3), float64((1+i)*(1+step%2)))
		}
	}
	before := l.running.Text()
	draws := l.draws(m, c, 4)
	for batch := range 2 {
		_, table := draws(batch)
		levels, factors, want := m.DrawByLoss(levelsOf(c, 4, batch), c.Train.Batch, l.running)
		if !table.Equal(want) {
			t.Errorf("batch %d: another table than that of its levels", batch)
		}
		rows, err := tensors.CopyFlatData[float32](table)
		if err != nil {
			t.Fatal(err)
		}
		for i := range levels {
			row := m.Row(levels[i])
			for k, x := range row {
				if k == diffusion.WeightColumn {
					x *= factors[i]
				}
				if got := float64(rows[i*diffusion.Columns+k]); !(math.Abs(got-x) <= 1e-5*(1+math.Abs(x))) {
					t.Errorf("batch %d, clip %d: number %d is %g, want %g", batch, i, k, got, x)
				}
			}
		}
	}
	if l.running.Text() != before {
		t.Error("drawing changed what is remembered")
	}
	next := l.draws(m, c, 5) // of a round, in which nothing is learned before its end
	for batch := range 2 {
		next(batch)
	}
	levels, factors := l.drawn[0].levels, l.drawn[0].factors
	l.learn(result{Losses: [][]float32{{1, 2, 3, 4}, {5, 6, 7, 8}}})
	want := m.Running()
	if err := want.Restore(before); err != nil {
		t.Fatal(err)
	}
	for batch := range 2 {
		for i := range 4 {
			want.Add(levels[batch][i], float64(1+4*batch+i)/factors[batch][i])
		}
	}
	if l.running.Text() != want.Text() || want.Text() == before {
		t.Error("the losses are not remembered by their levels, without their factors")
	}
	l.learn(result{Losses: [][]float32{{1, 2, 3, 4}, {5, 6, 7, 8}}, Skipped: true})
	if l.running.Text() != want.Text() || len(l.drawn) != 0 {
		t.Error("the losses of a step that was skipped are remembered")
	}
}
