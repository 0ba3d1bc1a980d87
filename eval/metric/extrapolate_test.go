package metric

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Of two normal distributions with known means and variances the Fréchet distance is known. Of 256
// vectors of 64 numbers it is too large by far, and the extrapolated one is much nearer.
func TestExtrapolateIsNearerToTheTruth(t *testing.T) {
	const n, width = 256, 64
	const want = width * (0.1*0.1 + 0.2*0.2)
	var plain, infinite float64 // sums of the distances from the truth
	for trial := range 3 {
		r := rand.New(rand.NewPCG(5, uint64(trial)))
		real, made := normalRows(r, n, width, 0, 1), normalRows(r, n, width, 0.1, 1.2)
		e, err := Extrapolate(FrechetOf, real, made, 1)
		if err != nil {
			t.Fatal(err)
		}
		biased := e.Points[len(e.Points)-1]
		if all, err := FrechetOf(real, made); err != nil || biased.Value != all || biased.Real != n || biased.Made != n {
			t.Errorf("the last point is %+v, %v, want the distance of all, %g", biased, err, all)
		}
		plain += math.Abs(biased.Value-want) / 3
		infinite += math.Abs(e.Infinity-want) / 3
	}
	t.Logf("the truth is %.2f; off by %.2f at n = %d, and by %.2f extrapolated", want, plain, n, infinite)
	if !(plain > want) || !(infinite < 0.2*plain) {
		t.Errorf("off by %.3f at n = %d, and by %.3f extrapolated, want less than a fifth", plain, n, infinite)
	}
}

// A value that is a line over 1/n of both sets ends where the line does, and what has no bias
// stays.
func TestExtrapolateEndsWhereTheLineDoes(t *testing.T) {
	rows := normalRows(rand.New(rand.NewPCG(7, 8)), 2800, 1, 0, 1)
	real, made := rows[:1400], rows
	for name, tt := range map[string]struct{ a, b, c float64 }{"biased": {3, 70, 200}, "unbiased": {-2, 0, 0}} {
		e, err := Extrapolate(func(real, made [][]float32) (float64, error) {
			return tt.a + tt.b/float64(len(real)) + tt.c/float64(len(made)), nil
		}, real, made, 1)
		if err != nil || !(math.Abs(e.Infinity-tt.a) <= 1e-3) {
			t.Errorf("%s: %g, %v, want %g", name, e.Infinity, err, tt.a)
		}
		if first, last := e.Points[0], e.Points[len(e.Points)-1]; first.Real != 700 || first.Made != 1400 || last.Real != 1400 || last.Made != 2800 {
			t.Errorf("%s: sizes from %+v to %+v, want from half of the sets to all", name, first, last)
		}
	}
}

// Draws depend on the seed alone, and have no vector twice.
func TestExtrapolateDraws(t *testing.T) {
	rows := make([][]float32, 40)
	for i := range rows {
		rows[i] = []float32{float32(i)}
	}
	sums := func(seed uint64) (all string) {
		_, err := Extrapolate(func(real, made [][]float32) (float64, error) {
			seen := map[float32]bool{}
			for _, x := range real {
				if seen[x[0]] {
					t.Errorf("vector %g is drawn twice", x[0])
				}
				seen[x[0]] = true
			}
			all += fmt.Sprint(real, made)
			return 0, nil
		}, rows, rows, seed)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if a := sums(1); a != sums(1) || a == sums(2) {
		t.Error("draws are no function of the seed, or the same for all")
	}
}

func TestExtrapolateRefuses(t *testing.T) {
	rows := normalRows(rand.New(rand.NewPCG(9, 10)), leastExtrapolated, 2, 0, 1)
	if _, err := Extrapolate(FrechetOf, rows[1:], rows, 1); !errors.As(err, new(Skipped)) {
		t.Errorf("31 vectors: %v, want it skipped", err)
	}
	if _, err := Extrapolate(FrechetOf, rows, rows, 1); err != nil {
		t.Errorf("32 vectors: %v", err)
	}
	rows[3] = []float32{1}
	if _, err := Extrapolate(FrechetOf, rows, rows, 1); err == nil || errors.As(err, new(Skipped)) {
		t.Errorf("vectors of different lengths: %v, want a failure", err)
	}
}

// Parts of sets of 32 vectors have 15 different sizes; of fewer, two would be equal.
func TestExtrapolateNeeds32Vectors(t *testing.T) {
	first := func(real, made [][]float32) (float64, error) { return float64(len(real)), nil }
	set := make([][]float32, 32)
	for i := range set {
		set[i] = []float32{float32(i)}
	}
	if _, err := Extrapolate(first, set, set, 0); err != nil {
		t.Error(err)
	}
	for _, sets := range [][2][][]float32{{set[:31], set}, {set, set[:31]}} {
		_, err := Extrapolate(first, sets[0], sets[1], 0)
		if _, few := Reason(err); !few {
			t.Errorf("%d and %d vectors: error %v, want that they are too few", len(sets[0]), len(sets[1]), err)
		}
	}
}
