package page

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"mcvd/configs/webpage"
	"mcvd/eval"
	"mcvd/eval/metric"
)

// chart is what the page draws of a metric: curves and a histogram of one of pairs, sizes of one of
// sets.
type chart struct {
	Label     string     `json:"label"`
	Better    string     `json:"better"`
	Digits    int        `json:"digits"`
	Curves    []curve    `json:"curves,omitempty"` // scores by frame; none of a single frame
	Histogram *histogram `json:"histogram,omitempty"`
	Sizes     []curve    `json:"sizes,omitempty"` // scores by the number of real clips
}

// curve is a method's scores: by frame, counted from 1, or by Step.
type curve struct {
	Label string           `json:"label"`
	Color int              `json:"color"`
	Dash  bool             `json:"dash,omitempty"`
	Step  []int            `json:"step,omitempty"`
	Value []webpage.Number `json:"value"`
	// Low and High are the interval around the mean, where there is one.
	Low  []webpage.Number `json:"low,omitempty"`
	High []webpage.Number `json:"high,omitempty"`
}

// histogram counts clips by their scores. Bin i goes from Edges[i] to Edges[i+1].
type histogram struct {
	Edges []webpage.Number `json:"edges"`
	Bars  []bars           `json:"bars"`
}

type bars struct {
	Label  string `json:"label"`
	Color  int    `json:"color"`
	Counts []int  `json:"counts"`
}

// chartsOf are the charts of the metrics that have something to draw.
func chartsOf(r *eval.Report) []chart {
	charts := []chart{}
	for _, m := range r.Metrics {
		c := chart{Label: m.Label(), Better: better(m), Digits: m.Digits}
		var values [][]float64
		for i, result := range r.Results {
			s := scoresOf(r, result.Method, m.Name)
			values = append(values, s.values)
			c.Curves = append(c.Curves, curvesOf(r, m, result, i, s)...)
			c.Sizes = append(c.Sizes, sizesOf(m, result, i)...)
		}
		if c.Histogram = histogramOf(r, values); c.Histogram != nil || len(c.Sizes) > 0 {
			charts = append(charts, c)
		}
	}
	return charts
}

// sizesOf are a method's values by the number of clips, and the value of infinitely many to which they
// were extrapolated.
func sizesOf(m metric.Info, result eval.Result, color int) []curve {
	set := result.Scores[m.Name].Set
	if set == nil || set.Extrapolation == nil || len(set.Extrapolation.Points) < 2 {
		return nil
	}
	by := curve{Label: result.Method, Color: color % colors}
	end := curve{Label: result.Method + ", of infinitely many", Color: by.Color, Dash: true}
	for _, p := range set.Extrapolation.Points {
		by.Step, by.Value = append(by.Step, p.Real), append(by.Value, webpage.Number(p.Value))
		end.Value = append(end.Value, webpage.Number(set.Extrapolation.Infinity))
	}
	end.Step = by.Step
	return []curve{by, end}
}

// clipScores are a method's scores in a metric, clip by clip in increasing order: the mean over a
// clip's trajectories.
type clipScores struct {
	videos []string // that the clips are of
	values []float64
	frames [][]float64 // for each frame, of all clips; nil where clips differ in length
}

func scoresOf(r *eval.Report, method, name string) (s clipScores) {
	byClip := map[int][]eval.Record{}
	for _, record := range r.Records {
		if score, ok := record.Scores[name]; ok && score.Skipped == "" && record.Method == method {
			byClip[record.Clip] = append(byClip[record.Clip], record)
		}
	}
	length := -1
	for _, clip := range slices.Sorted(maps.Keys(byClip)) {
		records := byClip[clip]
		var values []float64
		for _, record := range records {
			score := record.Scores[name]
			values = append(values, score.Value)
			if length < 0 {
				length, s.frames = len(score.Frames), make([][]float64, len(score.Frames))
			}
			if len(score.Frames) != length {
				s.frames = nil
			}
		}
		s.videos, s.values = append(s.videos, records[0].Video), append(s.values, metric.Average(values))
		for i := range s.frames {
			var values []float64
			for _, record := range records {
				values = append(values, record.Scores[name].Frames[i])
			}
			s.frames[i] = append(s.frames[i], metric.Average(values))
		}
	}
	return s
}

// curvesOf are a method's curves: the mean over clips with its interval, and of the model's best
// trajectories the mean alone.
func curvesOf(r *eval.Report, m metric.Info, result eval.Result, color int, s clipScores) (all []curve) {
	if len(s.frames) < 2 {
		return nil
	}
	name := result.Method
	if k := r.Protocol.Trajectories; color == 0 && k > 1 {
		if best := result.Scores[m.Name].BestByFrame; len(best) == len(s.frames) {
			c := curve{Label: fmt.Sprintf("%s, best of %d", name, k), Dash: true}
			for _, x := range best {
				c.Value = append(c.Value, webpage.Number(x))
			}
			all = append(all, c)
		}
		name = fmt.Sprintf("%s, mean of %d", name, k)
	}
	c := curve{Label: name, Color: color % colors}
	for _, values := range s.frames {
		mean := metric.Summarize(values, s.videos, r.Protocol.Rules.Interval)
		c.Value = append(c.Value, webpage.Number(mean.Mean))
		c.Low, c.High = append(c.Low, webpage.Number(mean.Low)), append(c.High, webpage.Number(mean.High))
	}
	return append(all, c)
}

// The fewest and the most bins of a histogram.
const (
	fewBins  = 5
	manyBins = 40
)

// histogramOf counts each method's values in bins that all methods share; nil if there are none. By
// the Rice rule, n values get 2 n^(1/3) bins.
func histogramOf(r *eval.Report, values [][]float64) *histogram {
	all := slices.DeleteFunc(slices.Concat(values...), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	if len(all) == 0 {
		return nil
	}
	low, high := slices.Min(all), slices.Max(all)
	n := min(max(int(math.Ceil(2*math.Cbrt(float64(len(values[0]))))), fewBins), manyBins)
	width := (high - low) / float64(n)
	if !(width > math.Abs(high)*1e-9 && width > 0) || math.IsInf(width, 0) { // equal values get a bin around them
		width = cmp.Or(math.Abs(high)/100, 1) / float64(n)
		low -= float64(n) / 2 * width
	}
	h := &histogram{}
	for i := range n + 1 {
		h.Edges = append(h.Edges, webpage.Number(low+float64(i)*width))
	}
	for i, of := range values {
		b := bars{Label: r.Results[i].Method, Color: i % colors, Counts: make([]int, n)}
		for _, x := range of {
			switch at := (x - low) / width; {
			case at >= float64(n):
				b.Counts[n-1]++ // the greatest value is in the last bin
			case at >= 0: // false for NaN
				b.Counts[int(at)]++
			}
		}
		if len(of) > 0 {
			h.Bars = append(h.Bars, b)
		}
	}
	return h
}
