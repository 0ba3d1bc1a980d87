package train

import (
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/mask"
	"mcvd/models/nn"
)

// The masks of a step are those that the step's program draws.
func TestMasksAreThoseOfTheStep(t *testing.T) {
	c := toy()
	c.Frames.Mask.Kind, c.Frames.Mask.Reverse = "frames", 0.5
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.Open(t)
	var all []Mask
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
				_, d := m.Draw(nn.Random{State: in[0]}, in[1])
				return []*Node{d.Visible, d.Reversed}
			}, random, levels)
			for i, sign := range got[0] {
				if mine := masks[k*c.Train.Batch+i/2].Visible[i%2]; mine != (sign == 1) {
					t.Errorf("step %d, batch %d, sign %d: %v, want %g", step, k, i, mine, sign)
				}
			}
			for i, sign := range got[1] {
				if mine := masks[k*c.Train.Batch+i].Reversed; mine != (sign == 1) {
					t.Errorf("step %d, batch %d, clip %d: reversed %v, want %g", step, k, i, mine, sign)
				}
			}
		}
		all = append(all, masks...)
	}
	for _, m := range all {
		if !mask.Seen(m.Visible, c.Frames) {
			t.Errorf("%v is not a mask of the experiment", m.Visible)
		}
	}
	if !slices.ContainsFunc(all, func(m Mask) bool { return !slices.Equal(m.Visible, all[0].Visible) }) ||
		!slices.ContainsFunc(all, func(m Mask) bool { return m.Reversed != all[0].Reversed }) {
		t.Errorf("all masks are %v", all[0])
	}
}

// An experiment without conditioning frames has masks without signs, and may turn clips around.
func TestMasksWithoutConditioningFrames(t *testing.T) {
	c := toy()
	c.Frames = configs.Frames{Current: 2, Mask: configs.Mask{Kind: "blocks", Reverse: 1}, Times: configs.Times{Kind: "consecutive"}}
	masks, err := Masks(backendtest.Open(t), c, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range masks {
		if len(m.Visible) != 0 || !m.Reversed {
			t.Errorf("%v, want no signs, and reversed", m)
		}
	}
}
