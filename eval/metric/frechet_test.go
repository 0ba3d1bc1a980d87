package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"mcvd/models/paritytest"
)

// Distances of NumPy and SciPy's sqrtm. They are held to 1e-12 of the value, or 1e-7 where there are
// fewer vectors than numbers in each: half of the digits of an eigenvalue of 0 are lost in its root.
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
			name := func(kind string) string { return kind + set }
			moments := func(name string) *Moments {
				shape, values := f.Shape(name), f.Doubles(name)
				var m Moments
				for i := range shape[0] {
					if err := m.add(values[i*shape[1] : (i+1)*shape[1]]); err != nil {
						t.Fatal(err)
					}
				}
				return &m
			}
			a, b := moments(name("feat1_")), moments(name("feat2_"))
			got, err := Frechet(a, b)
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 1e-12
			if min(a.n, b.n) <= len(a.mean) {
				tolerance = 1e-7
			}
			want := f.Doubles(name("frechet_"))[0]
			off := math.Abs(got-want) / want
			if !(off <= tolerance) {
				t.Errorf("%v: %.15g, want %.15g: off by %.2g, want %g", f.Shape(name("feat1_")), got, want, off, tolerance)
			}
			t.Logf("%v and %v: off by %.2g of the value", f.Shape(name("feat1_")), f.Shape(name("feat2_")), off)
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

// Moments don't depend on how vectors are divided, and a large mean costs no digits of the
// covariance.
func TestMomentsMerge(t *testing.T) {
	const offset = 1e6
	r := rand.New(rand.NewPCG(7, 8))
	var rows [][]float64
	for range 60 {
		x := r.NormFloat64()
		rows = append(rows, []float64{offset + x, offset - 2*x, offset + r.NormFloat64()})
	}
	gather := func(rows [][]float64) *Moments {
		var m Moments
		for _, row := range rows {
			if err := m.add(row); err != nil {
				t.Fatal(err)
			}
		}
		return &m
	}
	var centered Moments
	for _, row := range rows {
		if err := centered.add([]float64{row[0] - offset, row[1] - offset, row[2] - offset}); err != nil {
			t.Fatal(err)
		}
	}
	whole := gather(rows)
	for _, split := range []int{0, 1, 17, 60} {
		parts := gather(rows[:split])
		if err := parts.Merge(gather(rows[split:])); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if !(math.Abs(parts.mean[i]-whole.mean[i]) <= 1e-9) || parts.n != whole.n {
				t.Errorf("split at %d: mean %v of %d, want %v", split, parts.mean, parts.n, whole.mean)
			}
			for j := range 3 {
				if got, want := parts.covariance().At(i, j), centered.covariance().At(i, j); !(math.Abs(got-want) <= 1e-8) {
					t.Errorf("split at %d: covariance %.12g, want %.12g", split, got, want)
				}
			}
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
	same := [][]float32{{1, 2, 3}, {3, 1, 2}}
	if d, err := FrechetOf(same, same); err != nil || !(d >= 0 && d <= 1e-7) {
		t.Errorf("equal sets: %g, %v, want 0", d, err)
	}
}
