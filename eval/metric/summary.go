package metric

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
)

// Summary is a mean with its 95 % confidence interval.
type Summary struct {
	Mean, Low, High float64
	N               int // values that entered
}

// Interval is a way to say how far a mean over clips may be from that over all clips there are.
type Interval string

// The intervals, of 95 %.
const (
	// Normal is mean ± 1.96 s/√n over clips, as if each were drawn by itself: the published one.
	Normal Interval = "normal"
	// Bootstrap draws as many videos as there are, with replacement, again and again, and leaves out
	// the least and the greatest 2.5 % of the means over their clips. Clips of one video resemble
	// each other; taken as independent they promise too much.
	Bootstrap Interval = "bootstrap"
)

// resamples is how often [Bootstrap] draws.
const resamples = 2000

// Summarize averages the values that are not NaN. groups says which video each value's clip is of.
// Mean is NaN for no values, and Low and High are for less than two, or less than two videos to
// draw.
func Summarize(values []float64, groups []string, kind Interval) Summary {
	mean, n := meanOf(values)
	s := Summary{mean, math.NaN(), math.NaN(), n}
	switch {
	case n < 2:
	case kind == Normal:
		var squares float64
		for _, v := range values {
			if !math.IsNaN(v) {
				squares += (v - mean) * (v - mean)
			}
		}
		half := 1.96 * math.Sqrt(squares/float64(n-1)/float64(n))
		s.Low, s.High = mean-half, mean+half
	case kind == Bootstrap:
		s.Low, s.High = bootstrap(values, groups)
	default:
		panic("metric: no interval " + string(kind))
	}
	return s
}

// bootstrap is the 95 % interval of the mean over the clips of drawn videos. The draws are the same
// each time.
func bootstrap(values []float64, groups []string) (low, high float64) {
	type video struct {
		sum float64
		n   int
	}
	var videos []video
	index := map[string]int{}
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		k, ok := index[groups[i]]
		if !ok {
			k = len(videos)
			index[groups[i]], videos = k, append(videos, video{})
		}
		videos[k].sum += v
		videos[k].n++
	}
	if len(videos) < 2 {
		return math.NaN(), math.NaN()
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(videos))))
	means := make([]float64, resamples)
	for i := range means {
		var drawn video
		for range videos {
			v := videos[rng.IntN(len(videos))]
			drawn.sum += v.sum
			drawn.n += v.n
		}
		means[i] = drawn.sum / float64(drawn.n)
	}
	slices.Sort(means)
	const left = resamples / 40 // 2.5 %
	return means[left], means[resamples-1-left]
}

// summaryJSON is a [Summary] as JSON: what is NaN is null.
type summaryJSON struct {
	Mean *float64 `json:"mean"`
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
	N    int      `json:"n"`
}

// MarshalJSON writes null for what is NaN.
func (s Summary) MarshalJSON() ([]byte, error) {
	number := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	return json.Marshal(summaryJSON{number(s.Mean), number(s.Low), number(s.High), s.N})
}

// UnmarshalJSON undoes MarshalJSON.
func (s *Summary) UnmarshalJSON(text []byte) error {
	var j summaryJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	number := func(v *float64) float64 {
		if v == nil {
			return math.NaN()
		}
		return *v
	}
	*s = Summary{number(j.Mean), number(j.Low), number(j.High), j.N}
	return nil
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

// Average is the mean of the values that are not NaN; NaN if there are none.
func Average(values []float64) float64 {
	mean, _ := meanOf(values)
	return mean
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
