package train

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
)

// All bytes become the numbers that the host would make of them, to the last bit.
func TestNumbersOfBytes(t *testing.T) {
	exec, err := NewExec(backendtest.Open(t), numbers)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	pix := make([]uint8, 256)
	for i := range pix {
		pix[i] = uint8(i)
	}
	out, err := exec.Call(tensors.FromFlatDataAndDimensions(pix, 2, 2, 8, 8, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range tensors.MustCopyFlatData[float32](out[0]) {
		if want := clips.Float(uint8(i)); math.Float32bits(got) != math.Float32bits(want) {
			t.Errorf("byte %d becomes %g, want %g", i, got, want)
		}
	}
	same, err := exec.Call(tensors.FromValue([]float32{-1, 0.25}))
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float32](same[0]); got[0] != -1 || got[1] != 0.25 {
		t.Errorf("numbers became %v", got)
	}
}
