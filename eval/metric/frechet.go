package metric

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Moments are the number, the mean and the scatter of vectors, which come one by one or as the
// moments of others. The scatter is the sum of the outer products of what is left of each vector
// without the mean. All arithmetic is float64.
type Moments struct {
	n       int
	mean    []float64
	scatter *mat.SymDense
}

// Add adds a vector.
func (m *Moments) Add(x []float32) error {
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	return m.add(wide)
}

func (m *Moments) add(x []float64) error { return m.Merge(&Moments{n: 1, mean: x}) }

// Merge adds the vectors that o is the moments of (Chan et al., 1979, eq. 2.1): nothing large is
// subtracted, so nothing is lost where the mean is large. It fails for vectors of another length.
func (m *Moments) Merge(o *Moments) error {
	if o.n == 0 {
		return nil
	}
	if len(o.mean) == 0 {
		return fmt.Errorf("a vector of no numbers")
	}
	if m.n == 0 {
		m.mean, m.scatter = make([]float64, len(o.mean)), mat.NewSymDense(len(o.mean), nil)
	}
	if len(o.mean) != len(m.mean) {
		return fmt.Errorf("a vector of %d numbers, want %d", len(o.mean), len(m.mean))
	}
	n := float64(m.n + o.n)
	difference := make([]float64, len(m.mean))
	floats.SubTo(difference, o.mean, m.mean)
	floats.AddScaled(m.mean, float64(o.n)/n, difference)
	m.scatter.SymRankOne(m.scatter, float64(m.n)*float64(o.n)/n, mat.NewVecDense(len(difference), difference))
	if o.scatter != nil {
		m.scatter.AddSym(m.scatter, o.scatter)
	}
	m.n += o.n
	return nil
}

// covariance divides by one less than the number of vectors.
func (m *Moments) covariance() *mat.SymDense {
	var c mat.SymDense
	c.ScaleSym(1/float64(m.n-1), m.scatter)
	return &c
}

// Frechet is the squared Fréchet distance of the normal distributions that have the means and the
// covariances of two sets of vectors (Dowson and Landau, 1982, eq. 4):
//
//	|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))
//
// It is 0 or more. The root has the trace of that of S1^(1/2) S2 S1^(1/2), which is symmetric. A set
// of less than two vectors is [Skipped]: it has no covariance.
func Frechet(a, b *Moments) (float64, error) {
	if a.n < 2 || b.n < 2 {
		return 0, Skipped{fmt.Sprintf("a Fréchet distance needs 2 real and 2 generated clips or more, got %d and %d", a.n, b.n)}
	}
	if len(a.mean) != len(b.mean) {
		return 0, fmt.Errorf("vectors of %d and of %d numbers, want as many", len(a.mean), len(b.mean))
	}
	s1, s2 := a.covariance(), b.covariance()
	for _, m := range []*Moments{a, b} {
		if sum := floats.Sum(m.mean) + m.scatter.Trace(); math.IsNaN(sum) || math.IsInf(sum, 0) {
			return 0, fmt.Errorf("vectors with numbers that aren't finite")
		}
	}
	root, err := squareRoot(s1)
	if err != nil {
		return 0, err
	}
	var half, product mat.Dense
	half.Mul(root, s2)
	product.Mul(&half, root)
	values, _, err := eigen(symmetric(&product), false)
	if err != nil {
		return 0, err
	}
	distance := math.Pow(floats.Distance(a.mean, b.mean, 2), 2) + s1.Trace() + s2.Trace()
	for _, v := range values {
		distance -= 2 * math.Sqrt(max(0, v)) // below 0 by rounding only
	}
	return max(0, distance), nil
}

// FrechetOf is [Frechet] of two sets of vectors.
func FrechetOf(real, made [][]float32) (float64, error) {
	var sets [2]Moments
	for i, rows := range [][][]float32{real, made} {
		for _, row := range rows {
			if err := sets[i].Add(row); err != nil {
				return 0, err
			}
		}
	}
	return Frechet(&sets[0], &sets[1])
}

// squareRoot is that of a symmetric matrix without negative eigenvalues.
func squareRoot(s *mat.SymDense) (*mat.SymDense, error) {
	values, vectors, err := eigen(s, true)
	if err != nil {
		return nil, err
	}
	var scaled, root mat.Dense
	scaled.Apply(func(_, j int, v float64) float64 { return v * math.Sqrt(math.Sqrt(max(0, values[j]))) }, vectors)
	root.Mul(&scaled, scaled.T())
	return symmetric(&root), nil
}

// eigen is the eigenvalues of a symmetric matrix and, if asked for, its eigenvectors as columns.
func eigen(s *mat.SymDense, vectors bool) ([]float64, *mat.Dense, error) {
	var e mat.EigenSym
	if !e.Factorize(s, vectors) {
		return nil, nil, fmt.Errorf("the eigenvalues of a covariance were not found")
	}
	if !vectors {
		return e.Values(nil), nil, nil
	}
	var columns mat.Dense
	e.VectorsTo(&columns)
	return e.Values(nil), &columns, nil
}

// symmetric is the symmetric part of a matrix, which is symmetric but for rounding.
func symmetric(m *mat.Dense) *mat.SymDense {
	n, _ := m.Dims()
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, (m.At(i, j)+m.At(j, i))/2)
		}
	}
	return s
}
