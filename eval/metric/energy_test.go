package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// In one dimension the energy distance is twice the integral of the squared difference of the
// distribution functions (Székely and Rizzo 2013, section 2).
func TestEnergyIsTheDifferenceOfDistributionFunctions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, shift float64) (rows [][]float32) {
		for range n {
			rows = append(rows, []float32{float32(rng.NormFloat64() + shift)})
		}
		return rows
	}
	for _, shift := range []float64{0, 0.5, 3} {
		a, b := draw(70, 0), draw(150, shift)
		var at []float64
		for _, r := range slices.Concat(a, b) {
			at = append(at, float64(r[0]))
		}
		slices.Sort(at)
		below := func(rows [][]float32, x float64) (share float64) {
			for _, r := range rows {
				if float64(r[0]) <= x {
					share += 1 / float64(len(rows))
				}
			}
			return share
		}
		want := 0.0
		for i := range at[:len(at)-1] {
			d := below(a, at[i]) - below(b, at[i])
			want += 2 * d * d * (at[i+1] - at[i])
		}
		if got, err := Energy(a, b); err != nil || !(math.Abs(got-want) <= 1e-9) {
			t.Errorf("shift %g: %g, %v, want %g", shift, got, err, want)
		}
	}
}

// In the plane: two points at a distance, equal sets, and two draws of one distribution.
func TestEnergyInThePlane(t *testing.T) {
	if got, _ := Energy([][]float32{{0, 0}}, [][]float32{{3, 4}}); !(math.Abs(got-10) <= 1e-9) {
		t.Errorf("points at a distance of 5: %g, want 10", got)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(n int) (rows [][]float32) {
		for range n {
			rows = append(rows, []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64())})
		}
		return rows
	}
	a := draw(1000)
	if got, _ := Energy(a, a); !(math.Abs(got) <= 1e-9) {
		t.Errorf("equal sets: %g, want 0", got)
	}
	mean, want := 0.0, 2.0/1000*math.Sqrt(math.Pi) // E|x-x'| of the normal distribution in the plane
	if got := EnergyOfDraws(a, 1000); !(math.Abs(got/want-1) <= 0.05) {
		t.Errorf("expected distance of two draws: %g, want %g", got, want)
	}
	for range 8 {
		got, _ := Energy(draw(1000), draw(1000))
		mean += got / 8
	}
	if !(math.Abs(mean/want-1) <= 0.5) {
		t.Errorf("draws of one distribution: %g, want about %g", mean, want)
	}
	if _, err := Energy(a, [][]float32{{1}}); err == nil {
		t.Error("vectors of other lengths are no error")
	}
	if _, err := Energy(a, nil); err == nil {
		t.Error("no clips are no error")
	}
}
