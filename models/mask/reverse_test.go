package mask

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/nn"
)

func TestDrawReversedAsOftenAsAsked(t *testing.T) {
	const n = 20000
	for _, p := range []float64{0.2, 0.5, 1} {
		out := backendtest.Run(t, func(in []*Node) []*Node {
			_, r := DrawReversed(nn.Random{State: in[0]}, n, configs.Frames{Mask: configs.Mask{Reverse: p}})
			return []*Node{r}
		}, state)[0]
		var count float64
		for _, r := range out {
			if r*(1-r) != 0 {
				t.Fatalf("%g, want 0 or 1", r)
			}
			count += float64(r)
		}
		if deviation := 3 * math.Sqrt(p*(1-p)/n); !(math.Abs(count/n-p) <= deviation) {
			t.Errorf("%g of the clips are reversed, want %g within %.3g", count/n, p, deviation)
		}
	}
}

// Those and no other clips are turned around, exactly.
func TestTurn(t *testing.T) {
	clip := [][][]float32{{{1, 2}, {3, 4}, {5, 6}}, {{7, 8}, {9, 10}, {11, 12}}}
	for reversed, want := range map[[2]float32][]float32{
		{0, 0}: {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		{0, 1}: {1, 2, 3, 4, 5, 6, 11, 12, 9, 10, 7, 8},
		{1, 0}: {5, 6, 3, 4, 1, 2, 7, 8, 9, 10, 11, 12},
	} {
		got := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{Turn(in[0], in[1])} }, clip, reversed[:])[0]
		if !slices.Equal(got, want) {
			t.Errorf("reversed %v: %v, want %v", reversed, got, want)
		}
	}
}
