package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"mcvd/models/paritytest"
)

// Distances of NumPy and SciPy's sqrtm. They are held to 1e-12 of the value, or 1e-7 where there are
// fewer vectors than numbers in each: half of the digits of an eigenvalue of 0 are lost in SciPy's root.
func TestParityFrechet(t *testing.T) {
	paritytest.Each(t, "metric/image_*.safetensors", func(t *testing.T, path string) {
		f := paritytest.Open(t, path)
		sets := 0
		for _, tensor := range f.Tensors() {
			set, ok := strings.CutPrefix(tensor.Name, "frechet_")
			if !ok {
				continue
			}
			sets++
			matrix := func(kind string) *mat.Dense {
				shape := f.Shape(kind + set)
				return mat.NewDense(shape[0], shape[1], f.Doubles(kind+set))
			}
			a, b := f.Shape("feat1_"+set), f.Shape("feat2_"+set)
			got, err := frechet(matrix("feat1_"), matrix("feat2_"))
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 1e-12
			if min(a[0], b[0]) <= a[1] {
				tolerance = 1e-7
			}
			want := f.Doubles("frechet_" + set)[0]
			off := math.Abs(got-want) / want
			if !(off <= tolerance) {
				t.Errorf("%v: %.15g, want %.15g: off by %.2g, want %g", a, got, want, off, tolerance)
			}
			t.Logf("%v and %v: off by %.2g of the value", a, b, off)
		}
		if sets == 0 {
			t.Error("no feature sets")
		}
	})
}

// Of distributions with diagonal covariances, the distance is a sum over their numbers.
func TestFrechetOfIndependentNumbers(t *testing.T) {
	corners := func(mean, spread [2]float64) (rows [][]float32) { // variance 4/3 spread^2 with n-1
		for _, x := range []float64{-1, 1} {
			for _, y := range []float64{-1, 1} {
				rows = append(rows, []float32{float32(mean[0] + x*spread[0]), float32(mean[1] + y*spread[1])})
			}
		}
		return rows
	}
	got, err := FrechetOf(corners([2]float64{1, 2}, [2]float64{3, 0}), corners([2]float64{4, 6}, [2]float64{1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	want := 25 + 4.0/3*((3-1)*(3-1)+(0-2)*(0-2))
	if !(math.Abs(got-want) <= 1e-12*want) {
		t.Errorf("%.15g, want %.15g", got, want)
	}
}

// A large mean costs no digits of the distance, and equal sets have none, whether they have fewer
// vectors than numbers or more.
func TestFrechetBesideALargeMean(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{3, 60} {
		rows := func(offset, spread float64) *mat.Dense {
			m := mat.NewDense(n, 5, nil)
			for i := range n {
				for j := range 5 {
					m.Set(i, j, offset+spread*math.Sin(float64(7*i+j)))
				}
			}
			return m
		}
		want, err := frechet(rows(0, 1), rows(1, 2))
		if err != nil {
			t.Fatal(err)
		}
		got, err := frechet(rows(1e6, 1), rows(1e6+1, 2))
		if err != nil || !(want > 5) || !(math.Abs(got-want) <= 1e-8*want) {
			t.Errorf("%d vectors: %.12g, %v, want %.12g", n, got, err, want)
		}
		same := normalRows(r, n, 5, 3, 2)
		if got, err := FrechetOf(same, same); err != nil || !(got <= 1e-12) {
			t.Errorf("%d vectors: %g between equal sets, %v, want 0", n, got, err)
		}
	}
}

func TestFrechetRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for name, sets := range map[string][2][][]float32{
		"another length": {{{1, 2}, {3, 4}}, {{1}, {2}}},
		"lengths differ": {{{1, 2}, {3}}, {{1, 2}, {3, 4}}},
		"NaN":            {{{1, 2}, {3, nan}}, {{1, 2}, {3, 4}}},
		"nothing in it":  {{{}, {}}, {{}, {}}},
	} {
		if d, err := FrechetOf(sets[0], sets[1]); err == nil || errors.As(err, new(Skipped)) {
			t.Errorf("%s: %g, %v, want a failure", name, d, err)
		}
	}
	if _, err := FrechetOf([][]float32{{1}}, [][]float32{{1}, {2}}); !errors.As(err, new(Skipped)) {
		t.Errorf("one vector: %v, want it skipped", err)
	}
}
