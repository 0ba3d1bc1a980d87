package metric

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// FrechetOf is the squared Fréchet distance of the normal distributions that have the means and the
// covariances (divided by n-1) of two sets of vectors (Dowson and Landau, 1982, eq. 4):
//
//	|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))
//
// It is 0 or more, and computed in float64. A set of less than two vectors is [Skipped]: it has no
// covariance.
func FrechetOf(real, made [][]float32) (float64, error) {
	if len(real) < 2 || len(made) < 2 {
		return 0, Skipped{fmt.Sprintf("a Fréchet distance needs 2 real and 2 generated vectors or more, got %d and %d", len(real), len(made))}
	}
	width := len(real[0])
	var sets [2]*mat.Dense
	for i, rows := range [][][]float32{real, made} {
		if width == 0 {
			return 0, fmt.Errorf("a vector of no numbers")
		}
		sets[i] = mat.NewDense(len(rows), width, nil)
		for j, row := range rows {
			if len(row) != width {
				return 0, fmt.Errorf("a vector of %d numbers, want %d", len(row), width)
			}
			for k, v := range row {
				sets[i].Set(j, k, float64(v))
			}
		}
	}
	return frechet(sets[0], sets[1])
}

// frechet is [FrechetOf] of the rows of two matrices, two or more of each, which it changes.
//
// With S1 = A'A and S2 = B'B, the roots of the eigenvalues of S1 S2 are the singular values of AB'.
// So no covariance is computed, whose small eigenvalues would lose half of their digits in a root.
func frechet(a, b *mat.Dense) (float64, error) {
	mean1, mean2 := center(a), center(b)
	distance := math.Pow(floats.Distance(mean1, mean2, 2), 2)
	for _, x := range []*mat.Dense{a, b} {
		distance += math.Pow(mat.Norm(x, 2), 2) // the trace of the covariance
	}
	if math.IsNaN(distance) || math.IsInf(distance, 0) {
		return 0, fmt.Errorf("vectors with numbers that aren't finite")
	}
	var product mat.Dense
	product.Mul(short(a), short(b).T())
	var decomposition mat.SVD
	if !decomposition.Factorize(&product, mat.SVDNone) {
		return 0, fmt.Errorf("the singular values of a product of covariances were not found")
	}
	return max(0, distance-2*floats.Sum(decomposition.Values(nil))), nil
}

// center subtracts the mean from rows, which it returns, and divides them by the root of n-1: now
// x'x is the covariance.
func center(x *mat.Dense) (mean []float64) {
	n, width := x.Dims()
	mean = make([]float64, width)
	for i := range n {
		floats.Add(mean, x.RawRowView(i))
	}
	floats.Scale(1/float64(n), mean)
	for i := range n {
		row := x.RawRowView(i)
		floats.Sub(row, mean)
		floats.Scale(1/math.Sqrt(float64(n-1)), row)
	}
	return mean
}

// short is a matrix r with r'r = x'x that has no more rows than columns.
func short(x *mat.Dense) mat.Matrix {
	if n, width := x.Dims(); n <= width {
		return x
	}
	var qr mat.QR
	qr.Factorize(x)
	var r mat.Dense
	qr.RTo(&r)
	_, width := r.Dims()
	return r.Slice(0, width, 0, width)
}
