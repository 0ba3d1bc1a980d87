package train

import (
	"testing"

	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// What is computed again has the same values, dropout too, and the same gradients, and need not be kept.
func TestGradientCheckpointingChangesNothingButMemory(t *testing.T) {
	b := backendtest.Open(t)
	for _, conditioning := range []string{"concat", "spatin"} {
		t.Run(conditioning, func(t *testing.T) {
			of := func(checkpointing bool) ([]float64, int64) {
				c := toy()
				c.Model.Conditioning, c.Model.SpatinWidth = conditioning, 4
				c.Train.GradientCheckpointing = checkpointing
				m, err := models.New(c)
				if err != nil {
					t.Fatal(err)
				}
				need, err := Memory(b, m, c)
				if err != nil {
					t.Fatal(err)
				}
				return losses(t, c, 3), need.Activations
			}
			want, kept := of(false)
			got, again := of(true)
			if worst := apart(got, want); !(worst <= 1e-5) {
				t.Errorf("losses and norms of 3 steps differ by %.2g:\n%v\n%v", worst, got, want)
			}
			if !(4*again < 3*kept) {
				t.Errorf("%d bytes of activations, want less than 3/4 of the %d without", again, kept)
			}
			t.Logf("losses and norms differ by %.1g; %d of %d bytes of activations", apart(got, want), again, kept)
		})
	}
}
