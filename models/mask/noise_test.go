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

// A share of the clips has noise, at levels that are uniform in [0, 1): their mean is 1/2 and their
// mean square 1/3.
func TestDrawNoiseAsOftenAsAsked(t *testing.T) {
	const n = 20000
	for _, p := range []float64{0.2, 0.5, 1} {
		out := backendtest.Run(t, func(in []*Node) []*Node {
			_, level, z := DrawNoise(nn.Random{State: in[0]}, configs.Frames{Past: 1, Mask: configs.Mask{Noised: p}}, []int{n, 1, 1, 1, 1})
			return []*Node{level, z}
		}, state)
		var noisy, sum, squares, power float64
		for i, level := range out[0] {
			x := float64(level)
			if !(x >= 0 && x < 1) {
				t.Fatalf("level %g, want 0 to 1", x)
			}
			if x > 0 {
				noisy++
			}
			sum, squares, power = sum+x, squares+x*x, power+float64(out[1][i]*out[1][i])
		}
		for what, pair := range map[string][2]float64{
			"share with noise":     {noisy / n, p},
			"mean level":           {sum / noisy, 0.5},
			"mean square of level": {squares / noisy, 1 / 3.0},
			"variance of noise":    {power / n, 1},
		} {
			if !(math.Abs(pair[0]-pair[1]) <= 0.03) {
				t.Errorf("probability %g: %s is %g, want %g", p, what, pair[0], pair[1])
			}
		}
	}
}

// The past of each clip is signal past + noise z at its own level. At level 0 it keeps every bit, also
// that of -0, whatever z is.
func TestAddNoise(t *testing.T) {
	past, z := [][][][][]float32{{{{{0.5}}}, {{{-1}}}}, {{{{0.25}}}, {{{1}}}}}, [][][][][]float32{{{{{1}}}, {{{-2}}}}, {{{{3}}}, {{{0.5}}}}}
	got := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{AddNoise(in[0], in[1], in[2])} }, past, z, []float32{0.6, 0.28})[0]
	for i, want := range []float64{0.8*0.5 + 0.6, -0.8 - 0.6*2, 0.96*0.25 + 0.28*3, 0.96 + 0.28*0.5} {
		if !(math.Abs(float64(got[i])-want) <= 1e-6) {
			t.Errorf("value %d is %g, want %g", i, got[i], want)
		}
	}
	inf, zero := float32(math.Inf(1)), float32(math.Copysign(0, -1))
	past[0][0][0][0][0], z[0][1][0][0][0] = zero, inf
	got = backendtest.Run(t, func(in []*Node) []*Node { return []*Node{AddNoise(in[0], in[1], in[2])} }, past, z, []float32{0, 0})[0]
	for i, want := range []float32{zero, -1, 0.25, 1} {
		if math.Float32bits(got[i]) != math.Float32bits(want) {
			t.Errorf("at level 0 value %d is %g, want %g", i, got[i], want)
		}
	}
}

func TestHiddenPastHasNoNoise(t *testing.T) {
	got := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{ToldNoise(in[0], in[1])} },
		[]float32{0.5, 0.25, 0.75}, [][]float32{{1, 1}, {0, 0}, {0, 1}})[0]
	if want := []float32{0.5, 0, 0.75}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}
