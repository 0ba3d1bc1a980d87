package metric

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Polynomial is the kernel k(x, y) = (Gamma x·y + C)^Degree. It measures how far two sets of
// vectors are apart by their squared maximum mean discrepancy (MMD; Gretton et al., 2012):
//
//	E k(x, x') + E k(y, y') - 2 E k(x, y)
//
// for x, x' of one set and y, y' of the other. With degree 2 and C = 0 this is the squared
// difference of their second moments E x xᵀ. With C above 0 all moments up to the degree enter.
type Polynomial struct {
	Degree int     // 1 or more
	Gamma  float64 // 0 stands for 1/d, for vectors of d numbers
	C      float64 // 0 or more
}

// cubic is the kernel of the kernel inception distance (Binkowski et al., 2018, section 4).
var cubic = Polynomial{Degree: 3, C: 1}

// KID is the unbiased estimate with the kernel (x·y/d + 1)^3 of the kernel inception distance
// (Binkowski et al., 2018, section 4), for features of any network. It takes all pairs of vectors;
// the mean over random subsets that is published has the same mean and a larger variance.
func KID(real, made [][]float32) (float64, error) { return cubic.Unbiased(real, made) }

// JEDi is 100 times the biased estimate with the kernel (x·y/d)^2, as the published JEDi (Luo et
// al., 2024) computes it of features of V-JEPA. It takes the features of any network.
func JEDi(real, made [][]float32) (float64, error) {
	value, err := Polynomial{Degree: 2}.Biased(real, made)
	return 100 * value, err
}

// Biased is the estimate in which vectors are also paired with themselves (Gretton et al., 2012,
// eq. 5). It is 0 or more but for rounding, and too large by about 1/n for n vectors.
func (k Polynomial) Biased(a, b [][]float32) (float64, error) { return k.estimate(a, b, true) }

// Unbiased is the estimate in which they are not (eq. 3). For sets of the same distribution its
// mean over draws is 0, so it may be negative. A set of fewer than two vectors is [Skipped].
func (k Polynomial) Unbiased(a, b [][]float32) (float64, error) { return k.estimate(a, b, false) }

func (k Polynomial) estimate(a, b [][]float32, itself bool) (float64, error) {
	least := 2
	if itself {
		least = 1
	}
	if len(a) < least || len(b) < least {
		return 0, Skipped{fmt.Sprintf("a maximum mean discrepancy needs %d real and %d generated vectors or more, got %d and %d", least, least, len(a), len(b))}
	}
	width := len(a[0])
	for _, set := range [][][]float32{a, b} {
		for _, x := range set {
			if len(x) != width || width == 0 {
				return 0, fmt.Errorf("a vector of %d numbers, want %d, and 1 or more", len(x), width)
			}
		}
	}
	if k.Gamma == 0 {
		k.Gamma = 1 / float64(width)
	}
	value := k.within(a, itself) + k.within(b, itself) - 2*k.between(a, b)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, fmt.Errorf("a maximum mean discrepancy of %g: vectors with numbers that aren't finite, or too large for the kernel", value)
	}
	return value, nil
}

// within is the kernel's mean over all pairs of a set's vectors; itself says whether a vector is
// also paired with itself.
func (k Polynomial) within(set [][]float32, itself bool) float64 {
	var sum float64
	for i, x := range blocks(set) {
		for j, y := range blocks(set) {
			if j > i {
				continue // the kernel is symmetric: those below count twice
			}
			sum += k.sum(x, y, func(row, column int) float64 {
				switch {
				case i == j && row == column && !itself:
					return 0
				case i == j:
					return 1
				}
				return 2
			})
		}
	}
	n := float64(len(set))
	if itself {
		return sum / n / n
	}
	return sum / n / (n - 1)
}

// between is the kernel's mean over all pairs of a vector of each set.
func (k Polynomial) between(a, b [][]float32) float64 {
	var sum float64
	for _, x := range blocks(a) {
		for _, y := range blocks(b) {
			sum += k.sum(x, y, func(int, int) float64 { return 1 })
		}
	}
	return sum / float64(len(a)) / float64(len(b))
}

// sum is that of the kernel over pairs of a row of x and one of y, each as often as weight says.
// Rows are summed up first, so that each number is added to one of its own size.
func (k Polynomial) sum(x, y *mat.Dense, weight func(row, column int) float64) (sum float64) {
	var products mat.Dense
	products.Mul(x, y.T())
	rows, columns := products.Dims()
	for i := range rows {
		var part float64
		for j := range columns {
			part += weight(i, j) * power(k.Gamma*products.At(i, j)+k.C, k.Degree)
		}
		sum += part
	}
	return sum
}

func power(x float64, n int) float64 {
	y := 1.0
	for range n {
		y *= x
	}
	return y
}

// blockRows is how many vectors a product of matrices takes of each set: enough for its speed, few
// enough that memory doesn't grow with the sets.
const blockRows = 512

// blocks are the vectors in float64, some at a time, with the number of the block.
func blocks(set [][]float32) iter.Seq2[int, *mat.Dense] {
	return func(yield func(int, *mat.Dense) bool) {
		i := 0
		for some := range slices.Chunk(set, blockRows) {
			block := mat.NewDense(len(some), len(some[0]), nil)
			for row, x := range some {
				for column, v := range x {
					block.Set(row, column, float64(v))
				}
			}
			if !yield(i, block) {
				return
			}
			i++
		}
	}
}
