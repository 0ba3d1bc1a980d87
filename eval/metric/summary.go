package metric

import (
	"encoding/json"
	"math"
)

// Summary is a mean with its 95 % confidence interval.
type Summary struct {
	Mean, Low, High float64
	N               int // values that entered
}

// Summarize averages the values that are not NaN. The interval is Student's t with n-1 degrees of
// freedom, mean ± t s/√n, for any n; at n = 256 it is 0.5 % wider than the normal approximation.
// Low and High are NaN for n < 2, Mean for n = 0.
func Summarize(values []float64) Summary {
	mean, n := meanOf(values)
	var squares float64
	for _, v := range values {
		if !math.IsNaN(v) {
			squares += (v - mean) * (v - mean)
		}
	}
	if n < 2 {
		return Summary{mean, math.NaN(), math.NaN(), n}
	}
	half := student95(n-1) * math.Sqrt(squares/float64(n-1)/float64(n))
	return Summary{mean, mean - half, mean + half, n}
}

// MarshalJSON writes null for what is NaN.
func (s Summary) MarshalJSON() ([]byte, error) {
	number := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	return json.Marshal(struct {
		Mean *float64 `json:"mean"`
		Low  *float64 `json:"low"`
		High *float64 `json:"high"`
		N    int      `json:"n"`
	}{number(s.Mean), number(s.Low), number(s.High), s.N})
}

// Best takes each clip's best trajectory from scores [clips][trajectories], as in the published
// protocol. NaN, a skipped score, is never the best. A clip with nothing else is NaN.
func (m Info) Best(scores [][]float64) []float64 {
	out := make([]float64, len(scores))
	for i, clip := range scores {
		out[i] = math.NaN()
		if best := m.BestOf(clip); best >= 0 {
			out[i] = clip[best]
		}
	}
	return out
}

// BestOf is the index of the best score, the first of equal ones; -1 if all are NaN.
func (m Info) BestOf(scores []float64) int {
	best := -1
	for k, s := range scores {
		if !math.IsNaN(s) && (best < 0 || m.HigherIsBetter && s > scores[best] || !m.HigherIsBetter && s < scores[best]) {
			best = k
		}
	}
	return best
}

// Average takes the mean of each clip's trajectories from scores [clips][trajectories], without
// those that are NaN.
func Average(scores [][]float64) []float64 {
	out := make([]float64, len(scores))
	for i, clip := range scores {
		out[i], _ = meanOf(clip)
	}
	return out
}

// meanOf is the mean of the values that are not NaN, and how many they are; NaN if there are none.
func meanOf(values []float64) (mean float64, n int) {
	for _, v := range values {
		if !math.IsNaN(v) {
			mean += v
			n++
		}
	}
	return mean / float64(n), n
}

// student95 is the t for which Student's distribution lies within ±t with probability 0.95. It is
// found by halving an interval of the angle atan(t/√degrees), in which the probability is a finite
// sum.
func student95(degrees int) float64 {
	low, high := 0.0, math.Pi/2
	for range 60 {
		if middle := (low + high) / 2; studentWithin(middle, degrees) < 0.95 {
			low = middle
		} else {
			high = middle
		}
	}
	return math.Tan(low) * math.Sqrt(float64(degrees))
}

// studentWithin is the probability that |t| <= √degrees tan(angle) (Abramowitz and Stegun, 26.7.3
// and 26.7.4):
//
//	odd:  2/π (angle + sin (cos + 2/3 cos^3 + ... + (2·4···(degrees-3))/(3·5···(degrees-2)) cos^(degrees-2)))
//	even: sin (1 + 1/2 cos^2 + ... + (1·3···(degrees-3))/(2·4···(degrees-2)) cos^(degrees-2))
func studentWithin(angle float64, degrees int) float64 {
	sin, cos := math.Sincos(angle)
	term, first := 1.0, 2 // even: the powers 0, 2, 4, ...
	if degrees%2 == 1 {
		term, first = cos, 3
	}
	var sum float64
	for power := first; power <= degrees; power += 2 {
		sum += term
		term *= cos * cos * float64(power-1) / float64(power)
	}
	if degrees%2 == 1 {
		return 2 / math.Pi * (angle + sin*sum)
	}
	return sin * sum
}
