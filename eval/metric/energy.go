package metric

import (
	"fmt"
	"math"
	"sync"

	"mcvd/data/clips"
)

// energy is the energy distance between clips as points, with all their values as coordinates
// (Székely and Rizzo 2013, eq. 6). It is for clips of a few pixels: between images, distances of
// pixels say little.
type energy struct{}

func openEnergy(Needs) (Sets, error) { return energy{}, nil }

// Features are the values of each clip in [-1, 1].
func (energy) Features(list []clips.Clip) ([][]float32, error) {
	rows := make([][]float32, len(list))
	for i, c := range list {
		rows[i] = clips.ToFloat(c)
	}
	return rows, nil
}

// Unrounded is the clip itself.
func (energy) Unrounded(values []float32, _ clips.Clip) ([][]float32, error) {
	return [][]float32{values}, nil
}

// Energy is 2 E|x-y| - E|x-x'| - E|y-y'| over all pairs of vectors, a vector with itself included.
// It is 0 for equal sets and otherwise above. In one dimension it is twice the integral of the
// squared difference of the distribution functions. For two sets of one distribution it is about
// (1/n + 1/m) E|x-x'|.
func Energy(real, made [][]float32) (float64, error) {
	if len(real) < 1 || len(made) < 1 {
		return 0, Skipped{fmt.Sprintf("needs a clip or more of each, got %d real and %d generated", len(real), len(made))}
	}
	if len(real[0]) != len(made[0]) {
		return 0, fmt.Errorf("vectors of %d and of %d numbers", len(real[0]), len(made[0]))
	}
	n, m := float64(len(real)), float64(len(made))
	return 2*distances(real, made)/(n*m) - distances(real, real)/(n*n) - distances(made, made)/(m*m), nil
}

// EnergyOfDraws is the expected [Energy] between two sets of n vectors each, both drawn as these were:
// 2/n E|x-x'|. It is 0 for less than two vectors.
func EnergyOfDraws(rows [][]float32, n int) float64 {
	if len(rows) < 2 {
		return 0
	}
	return 2 * distances(rows, rows) / float64(len(rows)*(len(rows)-1)) / float64(n)
}

// distances is the sum of the distances of all pairs.
func distances(a, b [][]float32) float64 {
	sums := make([]float64, len(a)) // of one row each, so that the result doesn't depend on the order
	var rows sync.WaitGroup
	const block = 64
	for first := 0; first < len(a); first += block {
		rows.Go(func() {
			for i := first; i < min(first+block, len(a)); i++ {
				for _, y := range b {
					square := 0.0
					for k, v := range a[i] {
						d := float64(v) - float64(y[k])
						square += d * d
					}
					sums[i] += math.Sqrt(square)
				}
			}
		})
	}
	rows.Wait()
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return total
}
