package train

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/devices"
)

// conditioned is a toy with that way of conditioning.
func conditioned(name string) *configs.Config {
	c := toy()
	if c.Model.Options["conditioning"] = name; name == "spatin" {
		c.Model.Options["spatin_width"] = 4
	}
	return c
}

// gradients are those of one batch, for weights that are far from zero, and before them the loss
// and the norm.
func gradients(t *testing.T, c *configs.Config) [][]float32 {
	t.Helper()
	m, store, s := started(t, c)
	for v := range store.Scope("/" + models.WeightsScope).IterVariables() {
		x := spread(1.7, v.Shape().Size())
		for i := range x {
			x[i] *= 0.3
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(x, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	shape := m.ClipShape(c.Train.Batch, c.Frames.Total())
	in := placed(t, s, tensors.FromFlatDataAndDimensions(spread(0.7, shape.Size()), shape.Dimensions...))
	random, levels := drawsOf(m, c, 0)(0)
	state, err := s.devices.Put(random, devices.Copies)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.gradients.Call(append(in, state, placed(t, s, levels)[0])...)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float32
	for _, v := range out {
		all = append(all, tensors.MustCopyFlatData[float32](whole(t, v)))
	}
	return all
}

// What is computed again has the same values, dropout too, and every parameter the same gradient.
func TestGradientCheckpointingChangesNothing(t *testing.T) {
	for _, conditioning := range []string{"concat", "spatin"} {
		c := conditioned(conditioning)
		want := gradients(t, c)
		c.Train.GradientCheckpointing = true
		got := gradients(t, c)
		norm, worst := float64(want[1][0]), 0.0
		for i := range want {
			var difference, size float64
			for k := range want[i] {
				d := float64(got[i][k]) - float64(want[i][k])
				difference, size = difference+d*d, size+float64(want[i][k])*float64(want[i][k])
			}
			// Some are zero but for rounding, such as that of a bias before a norm.
			of := math.Sqrt(difference) / (1e-4*math.Sqrt(size) + 1e-6*norm)
			if !(of <= 1) {
				t.Errorf("%s: result %d of %d: %.2g of the tolerance", conditioning, i, len(want), of)
			}
			worst = max(worst, of)
		}
		t.Logf("%s: %d results differ by at most %.1g of the tolerance", conditioning, len(want), worst)
	}
}

// The deeper the network, the less of its activations are kept; by the graph: what a device holds
// is not seen here.
func TestGradientCheckpointingKeepsLess(t *testing.T) {
	b := backendtest.Open(t)
	for _, conditioning := range []string{"concat", "spatin"} {
		c := conditioned(conditioning)
		c.Model.Options["multipliers"], c.Model.Options["attention"], c.Model.Options["blocks"] = []int{1, 2}, []int{4}, 2
		m, err := models.New(c)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := Memory(b, m, c)
		if err != nil {
			t.Fatal(err)
		}
		c.Train.GradientCheckpointing = true
		again, err := Memory(b, m, c)
		if err != nil {
			t.Fatal(err)
		}
		if !(2*again.Activations < kept.Activations) {
			t.Errorf("%s: %d bytes of activations, want less than half of the %d without", conditioning, again.Activations, kept.Activations)
		}
	}
}
