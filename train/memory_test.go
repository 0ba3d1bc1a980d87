package train

import (
	"mcvd/models/backend/backendtest"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models"
)

// A chain needs two of its values at once, however long it is; what is used late stays.
func TestPeakFreesWhatIsNotUsedAgain(t *testing.T) {
	b := backendtest.Open(t)
	for _, keep := range []bool{false, true} {
		g := NewGraph(b, "peak")
		x := Parameter(g, "x", shapes.Make(dtypes.Float32, 100))
		y := x
		for range 10 {
			y = Neg(Sqrt(y))
		}
		want := int64(800)
		if keep {
			y, want = Add(y, x), 1200
		}
		if got := peak(g, []*Node{y}); got != want {
			t.Errorf("keep %v: %d bytes, want %d", keep, got, want)
		}
		g.Finalize()
	}
}

func TestMemoryOfTheState(t *testing.T) {
	b, c := backendtest.Open(t), toy()
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	size, err := m.Declare(b, model.NewStore().Scope("/"+models.WeightsScope), 1)
	if err != nil {
		t.Fatal(err)
	}
	need, err := Memory(b, m, c)
	if want := 5 * 4 * int64(size.Parameters); err != nil || need.State != want || need.Activations < 1 {
		t.Errorf("%+v, error %v, want %d bytes of weights, average, two of Adam and gradients", need, err, want)
	}
}
