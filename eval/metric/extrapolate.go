package metric

import (
	"fmt"
	"math/rand/v2"
)

// Extrapolation says how a comparison of two sets depends on how many vectors they have, and what
// it would be of infinitely many.
type Extrapolation struct {
	Points []Point `json:"points"` // from the fewest vectors to all
	// Infinity is the value at which the line that fits the points best ends. It may be negative.
	Infinity float64 `json:"infinity"`
}

// Point is the value of a comparison of so many vectors of each set.
type Point struct {
	Real  int     `json:"real"`
	Made  int     `json:"generated"`
	Value float64 `json:"value"`
}

const (
	// extrapolated is how many sizes are compared, as in the paper. The smallest is half of a set:
	// of fewer vectors, the bias is no longer a line.
	extrapolated = 15
	// leastExtrapolated is the least number of vectors of which these are different sizes.
	leastExtrapolated = 32
)

// Extrapolate takes a biased comparison, such as [FrechetOf], to infinitely many vectors (Chong and
// Forsyth, 2020): the bias of sets of n vectors is in proportion to 1/n, so the value is a straight
// line over 1/n, and its end at 0 has no bias. The line is fitted by least squares.
//
// As in the paper, parts of the sets are drawn at random without replacement. There only the
// generated set is cut, because the real one is large; here the same share of both sets is taken,
// so that the bias of both goes away. The share 1 is the comparison itself. Draws are functions of
// the seed. A set of fewer than 32 vectors is [Skipped]. Where the smaller sets have fewer vectors
// than a vector has numbers, covariances are singular and the line is a rough one.
func Extrapolate(compare Compare, real, made [][]float32, seed uint64) (Extrapolation, error) {
	if len(real) < leastExtrapolated || len(made) < leastExtrapolated {
		return Extrapolation{}, Skipped{fmt.Sprintf("to extrapolate needs %d real and %d generated vectors or more, got %d and %d",
			leastExtrapolated, leastExtrapolated, len(real), len(made))}
	}
	var e Extrapolation
	var inverse []float64 // of the shares
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range extrapolated {
		// The inverse of the share goes from 2 to 1 in equal steps.
		x := 2 - float64(i)/(extrapolated-1)
		p := Point{Real: int(float64(len(real)) / x), Made: int(float64(len(made)) / x)}
		var err error
		if p.Value, err = compare(drawn(r, real, p.Real), drawn(r, made, p.Made)); err != nil {
			return Extrapolation{}, fmt.Errorf("of %d real and %d generated vectors: %w", p.Real, p.Made, err)
		}
		e.Points, inverse = append(e.Points, p), append(inverse, x)
	}
	e.Infinity = lineAtZero(inverse, e.Points)
	return e, nil
}

// drawn are so many vectors of a set, without replacement and in the set's order where it is all.
func drawn(r *rand.Rand, set [][]float32, n int) [][]float32 {
	if n == len(set) {
		return set
	}
	some := make([][]float32, 0, n)
	for _, i := range r.Perm(len(set))[:n] {
		some = append(some, set[i])
	}
	return some
}

// lineAtZero is the value at 0 of the line that fits the points at x best by least squares.
func lineAtZero(x []float64, points []Point) float64 {
	var meanX, meanY, slope, width float64
	for i, p := range points {
		meanX += x[i] / float64(len(x))
		meanY += p.Value / float64(len(x))
	}
	for i, p := range points {
		slope += (x[i] - meanX) * (p.Value - meanY)
		width += (x[i] - meanX) * (x[i] - meanX)
	}
	return meanY - slope/width*meanX
}
