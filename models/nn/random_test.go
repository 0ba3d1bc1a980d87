package nn

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/backendtest"
)

// What is drawn for a clip is the same in the whole batch, in a part of it, and in a part of a part.
func TestDrawsDoNotDependOnTheParts(t *testing.T) {
	b := backendtest.Open(t)
	state := []uint64{3, math.MaxUint64 - 5, 5} // the lower word of XLA's counter overflows
	draw := func(r Random, n int) (all []float32) {
		exec, err := NewExec(b, func(state *Node) []*Node {
			r.State = state
			next, u := r.Uniform(F32(n, 4))
			next, z := next.Normal(F32(n, 5))
			_, last := next.Uniform(F32(n, 1))
			return []*Node{Concatenate([]*Node{u, z, last}, 1)}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(state)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](out[0])
	}
	const batch, row = 8, 10
	whole := draw(Random{}, batch)
	for _, of := range []struct{ from, n int }{{0, 4}, {4, 4}, {2, 1}, {5, 3}} {
		if got := draw(Random{From: of.from, Batch: batch}, of.n); !slices.Equal(got, whole[of.from*row:(of.from+of.n)*row]) {
			t.Errorf("clips from %d on: %v, want %v", of.from, got, whole[of.from*row:(of.from+of.n)*row])
		}
	}
	if r := (Random{}).part(2, 4, batch).part(1, 2, 4); r.From != 3 || r.Batch != batch {
		t.Errorf("a part of a part is from %d on of %d, want 3 of %d", r.From, r.Batch, batch)
	}
}

// Dropout drops the same values of a clip, whether the formulation cuts the batch into parts or not.
func TestDropoutDoesNotDependOnTheParts(t *testing.T) {
	b := backendtest.Open(t)
	drop := func(split int) []float32 {
		exec, err := NewExec(b, func(x, state *Node) []*Node {
			builder := NewBuilder(b)
			builder.Split, builder.Random.State = split, state
			y := builder.InParts([]*Node{x}, func(_ int, part []*Node) *Node { return builder.Dropout(builder.Dropout(part[0], 0.3), 0.2) })
			return []*Node{Add(y, builder.Dropout(x, 0.5))}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(slices.Repeat([]float32{1}, 64), 8, 8), []uint64{3, 4, 5})
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](out[0])
	}
	if one, two := drop(1), drop(2); !slices.Equal(one, two) {
		t.Errorf("in one part %v, in two %v", one, two)
	}
}
