package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	countingRows = [][]float32{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}
	otherRows    = [][]float32{{7, 6, 5}, {4, 3, 2}, {1, 1, 8}, {0, 2, 5}}
)

// With the kernel (x·y)^2 the biased estimate is the squared difference of the second moments:
//
//	     [22 26 30]       [16.50 13.75 12.75]
//	E xxᵀ = [26 31 36], E yyᵀ = [13.75 12.50 13.50]
//	     [30 36 42]       [12.75 13.50 29.50]
//
//	5.5² + 18.5² + 12.5² + 2 (12.25² + 17.25² + 22.5²) = 2436.5
//
// The other two follow from the moments, too: see [TestPolynomialComparesMoments].
func TestPolynomialClosedValues(t *testing.T) {
	for name, tt := range map[string]struct {
		estimate  func(a, b [][]float32) (float64, error)
		want, tol float64
	}{
		"biased, (x·y)^2":         {Polynomial{Degree: 2, Gamma: 1}.Biased, 2436.5, 1e-9},
		"JEDi, (x·y/3)^2":         {JEDi, 100 * 2436.5 / 9, 1e-9},
		"biased, (x·y/3 + 1)^3":   {cubic.Biased, 23088.083333333333, 1e-8},
		"unbiased, (x·y/3 + 1)^3": {KID, -5062.0432, 1e-4},
	} {
		got, err := tt.estimate(countingRows, otherRows)
		if err != nil || !(math.Abs(got-tt.want) <= tt.tol) {
			t.Errorf("%s: %.6f, %v, want %.6f", name, got, err, tt.want)
		}
		if back, err := tt.estimate(otherRows, countingRows); err != nil || !(math.Abs(back-got) <= tt.tol) {
			t.Errorf("%s: %.6f the other way round, %v, want %.6f", name, back, err, got)
		}
	}
}

func normalRows(r *rand.Rand, n, width int, mean, deviation float64) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		for range width {
			rows[i] = append(rows[i], float32(mean+deviation*r.NormFloat64()))
		}
	}
	return rows
}

// The biased estimate with (g x·y + c)^3 is the sum of the squared differences of all moments:
// those of order m have the weight binomial(3, m) g^m c^(3-m). The unbiased one lacks the pairs of
// a vector with itself. Sets of more vectors than a block has show that blocks fit together.
func TestPolynomialComparesMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const g, c = 0.7, 1.3
	k := Polynomial{Degree: 3, Gamma: g, C: c}
	for _, sets := range [][2][][]float32{
		{countingRows, otherRows},
		{normalRows(r, blockRows+88, 3, 0.5, 1), normalRows(r, 2*blockRows+1, 3, 0, 2)},
	} {
		want := g*g*g*moments3(sets[0], sets[1]) + 3*g*g*c*moments2(sets[0], sets[1]) + 3*g*c*c*moments1(sets[0], sets[1])
		got, err := k.Biased(sets[0], sets[1])
		if err != nil || !(math.Abs(got-want) <= 1e-12*math.Abs(want)+1e-10) {
			t.Errorf("biased: %.12g, %v, want %.12g", got, err, want)
		}
		for _, set := range sets {
			var all, own float64
			for _, x := range set {
				for _, y := range set {
					all += math.Pow(g*dot(x, y)+c, 3)
				}
				own += math.Pow(g*dot(x, x)+c, 3)
			}
			n := float64(len(set))
			want += (all-own)/(n*(n-1)) - all/(n*n)
		}
		if got, err = k.Unbiased(sets[0], sets[1]); err != nil || !(math.Abs(got-want) <= 1e-10*math.Abs(want)+1e-9) {
			t.Errorf("unbiased: %.12g, %v, want %.12g", got, err, want)
		}
	}
}

func dot(x, y []float32) (sum float64) {
	for i := range x {
		sum += float64(x[i]) * float64(y[i])
	}
	return sum
}

// moments1, moments2 and moments3 are the squared differences of two sets' moments of these orders.
func moments1(a, b [][]float32) (sum float64) {
	for i := range a[0] {
		d := meanProduct(a, i) - meanProduct(b, i)
		sum += d * d
	}
	return sum
}

func moments2(a, b [][]float32) (sum float64) {
	for i := range a[0] {
		for j := range a[0] {
			d := meanProduct(a, i, j) - meanProduct(b, i, j)
			sum += d * d
		}
	}
	return sum
}

func moments3(a, b [][]float32) (sum float64) {
	for i := range a[0] {
		for j := range a[0] {
			for k := range a[0] {
				d := meanProduct(a, i, j, k) - meanProduct(b, i, j, k)
				sum += d * d
			}
		}
	}
	return sum
}

// meanProduct is the mean over vectors of the product of the numbers at these places.
func meanProduct(set [][]float32, places ...int) (mean float64) {
	for _, x := range set {
		product := 1.0
		for _, i := range places {
			product *= float64(x[i])
		}
		mean += product / float64(len(set))
	}
	return mean
}

// With sets of equal vectors the estimate is k(x,x) + k(y,y) - 2 k(x,y).
func TestKIDOfEqualVectors(t *testing.T) {
	x, y := []float32{1, -1}, []float32{0.5, 0.5}
	got, err := KID([][]float32{x, x, x}, [][]float32{y, y})
	// x·x/2 = 1, y·y/2 = 0.25, x·y = 0
	if want := 8 + math.Pow(1.25, 3) - 2; err != nil || !(math.Abs(got-want) <= 1e-12) {
		t.Errorf("%g, %v, want %g", got, err, want)
	}
	if got, err := KID([][]float32{x, x}, [][]float32{x, x, x}); err != nil || got != 0 {
		t.Errorf("of equal sets: %g, %v, want 0", got, err)
	}
}

// Over all ways to cut a set of vectors in two, the unbiased estimate is 0 in the mean.
func TestKIDIsUnbiased(t *testing.T) {
	all := normalRows(rand.New(rand.NewPCG(1, 2)), 6, 3, 0, 1)
	sum, largest, cuts := 0.0, 0.0, 0
	for choice := range 1 << len(all) {
		var a, b [][]float32
		for i, x := range all {
			if choice>>i&1 == 1 {
				a = append(a, x)
			} else {
				b = append(b, x)
			}
		}
		if len(a) != 2 {
			continue
		}
		got, err := KID(a, b)
		if err != nil {
			t.Fatal(err)
		}
		sum, largest, cuts = sum+got, max(largest, math.Abs(got)), cuts+1
	}
	if cuts != 15 || !(largest > 0.1) || !(math.Abs(sum) <= 1e-12*float64(cuts)*largest+1e-12) {
		t.Errorf("mean of %d cuts %g, largest %g, want 0 of 15", cuts, sum/float64(cuts), largest)
	}
}

// A large number that all vectors share is not lost: with the kernel x·y the estimate is the
// squared difference of the means, 1, beside products of 1e8.
func TestPolynomialBesideLargeNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	a, b := normalRows(r, 700, 2, 0, 0), normalRows(r, 900, 2, 0, 0)
	for i := range a {
		a[i] = []float32{1e4, float32(i%2*2) - 1}
	}
	for i := range b {
		b[i] = []float32{1e4, float32(i % 3)}
	}
	if got, err := (Polynomial{Degree: 1, Gamma: 1}).Biased(a, b); err != nil || !(math.Abs(got-1) <= 1e-6) {
		t.Errorf("%.12g, %v, want 1", got, err)
	}
}

func TestPolynomialRefuses(t *testing.T) {
	one, two := [][]float32{{1}}, [][]float32{{1}, {2}}
	if _, err := KID(one, two); !errors.As(err, new(Skipped)) || !strings.Contains(err.Error(), "needs 2 real and 2 generated vectors or more, got 1 and 2") {
		t.Errorf("one vector: %v, want it skipped", err)
	}
	if _, err := JEDi(nil, two); !errors.As(err, new(Skipped)) {
		t.Errorf("no vector: %v, want it skipped", err)
	}
	if d, err := JEDi(one, two); err != nil || !(math.Abs(d-100*2.25) <= 1e-9) {
		t.Errorf("one vector, biased: %g, %v, want 225", d, err)
	}
	nan, large := float32(math.NaN()), float32(math.MaxFloat32)
	for name, wrong := range map[string][][]float32{
		"lengths differ": {{1}, {1, 2}}, "another length": {{1, 2}, {1, 2}}, "nothing in it": {{}, {}},
		"NaN": {{1}, {nan}}, "infinite": {{float32(math.Inf(1))}, {1}},
	} {
		if d, err := KID(two, wrong); err == nil || errors.As(err, new(Skipped)) {
			t.Errorf("%s: %g, %v, want a failure", name, d, err)
		}
	}
	if d, err := (Polynomial{Degree: 9, Gamma: 1}).Biased(two, [][]float32{{large}, {large}}); err == nil {
		t.Errorf("too large for the kernel: %g, want a failure", d)
	}
}
