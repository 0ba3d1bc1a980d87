package train

import (
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/mask"
)

// The masks of a step are those that the step's program draws.
func TestMasksAreThoseOfTheStep(t *testing.T) {
	c := toy()
	c.Frames.Mask.Kind = "frames"
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.Open(t)
	var all [][]bool
	for step := 1; step <= 6; step++ {
		masks, err := Masks(b, c, step)
		if err != nil {
			t.Fatal(err)
		}
		if len(masks) != c.Train.Batch*c.Train.Accumulate {
			t.Fatalf("%d masks, want %d", len(masks), c.Train.Batch*c.Train.Accumulate)
		}
		for k := range c.Train.Accumulate {
			random, levels := drawsOf(m, c, step-1)(k)
			got := backendtest.Run(t, func(in []*Node) []*Node {
				_, d := m.Draw(in[0], in[1])
				return []*Node{d.Visible}
			}, random, levels)[0]
			for i, sign := range got {
				if mine := masks[k*c.Train.Batch+i/2][i%2]; mine != (sign == 1) {
					t.Errorf("step %d, batch %d, sign %d: %v, want %g", step, k, i, mine, sign)
				}
			}
		}
		all = append(all, masks...)
	}
	for _, visible := range all {
		if !mask.Seen(visible, c.Frames) {
			t.Errorf("%v is not a mask of the experiment", visible)
		}
	}
	if first := all[0]; !slices.ContainsFunc(all, func(v []bool) bool { return !slices.Equal(v, first) }) {
		t.Errorf("all masks are %v", first)
	}
}
