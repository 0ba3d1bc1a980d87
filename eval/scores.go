package eval

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"mcvd/configs"
	"mcvd/eval/metric"
)

// NewReport sums records up. It depends on its arguments alone, and not on the order of the
// records.
func NewReport(h Header, records []Record, sets []SetValue) *Report {
	r := &Report{Header: h, Records: slices.Clone(records)}
	slices.SortStableFunc(r.Records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Clip, b.Clip), cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.Trajectory, b.Trajectory))
	})
	byMethod := map[string][]Record{modelMethod: nil}
	for made := range chunks(r.Records, func(r Record) string { return r.Method }) {
		byMethod[made[0].Method] = made
	}
	s := scorer{h, chosenBy(h, byMethod[modelMethod])}
	for _, method := range configs.Names(byMethod) {
		result := Result{method, s.scores(byMethod[method], setsOf(sets, func(v SetValue) bool { return v.Method == method }))}
		if method == modelMethod {
			r.Results = slices.Insert(r.Results, 0, result)
		} else {
			r.Results = append(r.Results, result)
		}
	}
	if len(h.Protocol.Seeds) > 1 {
		for _, seed := range h.Protocol.Seeds {
			made := slices.DeleteFunc(slices.Clone(byMethod[modelMethod]), func(r Record) bool { return r.Seed != seed })
			r.Seeds = append(r.Seeds, SeedResult{seed, s.scores(made, setsOf(sets, func(v SetValue) bool { return v.Method == modelMethod && v.Seed == seed }))})
		}
		overSeeds(r.Results[0].Scores, r.Seeds)
	}
	return r
}

// chunks are the records one after the other, those with equal keys together. They must be sorted
// by the key.
func chunks[K comparable](records []Record, key func(Record) K) iter.Seq[[]Record] {
	return func(yield func([]Record) bool) {
		for first := 0; first < len(records); {
			end := first + 1
			for end < len(records) && key(records[end]) == key(records[first]) {
				end++
			}
			if !yield(records[first:end:end]) {
				return
			}
			first = end
		}
	}
}

func setsOf(sets []SetValue, of func(SetValue) bool) []SetValue {
	return slices.DeleteFunc(slices.Clone(sets), func(v SetValue) bool { return !of(v) })
}

// scorer sums scores up. chooser chooses the best trajectory for all metrics, each metric its own
// if it is nil.
type scorer struct {
	Header
	chooser *metric.Info
}

// chosenBy is the metric that chooses the best trajectory for all: the first that scored the
// model's videos. It is nil if each metric chooses its own.
func chosenBy(h Header, records []Record) *metric.Info {
	if h.Protocol.Rules.Best != "one" {
		return nil
	}
	for i, m := range h.Metrics {
		if slices.ContainsFunc(records, func(r Record) bool { return r.score(m.Name).Skipped == "" }) {
			return &h.Metrics[i]
		}
	}
	return nil
}

// scores are those of a method's videos, by metric: of its records, which are sorted, and of its
// values of sets, one for each seed.
func (s scorer) scores(records []Record, sets []SetValue) map[string]Score {
	scores := map[string]Score{}
	for _, m := range s.Metrics {
		if of := setsOf(sets, func(v SetValue) bool { return v.Metric == m.Name }); len(of) > 0 {
			scores[m.Name] = setScore(m, of)
		} else {
			scores[m.Name] = s.pairScore(m, records)
		}
	}
	return scores
}

// setScore is the mean of the values that a metric of sets has with each seed.
func setScore(m metric.Info, sets []SetValue) Score {
	set := &SetScore{Real: sets[0].Real, Made: sets[0].Made}
	for _, v := range sets {
		if v.Skipped != "" {
			return Score{Unit: m.Unit, Skipped: v.Skipped}
		}
		set.Value += v.Value / float64(len(sets))
	}
	set.Extrapolation = meanExtrapolation(sets)
	return Score{Unit: m.Unit, Set: set}
}

// meanExtrapolation is the mean over seeds, whose sets have as many clips; nil if one has none.
func meanExtrapolation(sets []SetValue) *metric.Extrapolation {
	var mean metric.Extrapolation
	for i, v := range sets {
		if v.Extrapolation == nil {
			return nil
		}
		if i == 0 {
			mean.Points = slices.Clone(v.Extrapolation.Points)
			for k := range mean.Points {
				mean.Points[k].Value = 0
			}
		}
		for k, p := range v.Extrapolation.Points {
			mean.Points[k].Value += p.Value / float64(len(sets))
		}
		mean.Infinity += v.Extrapolation.Infinity / float64(len(sets))
	}
	return &mean
}

// pairScore sums one metric of a method's videos up.
func (s scorer) pairScore(m metric.Info, records []Record) Score {
	score := Score{Unit: m.Unit}
	chooser := cmp.Or(s.chooser, &m)
	var bests, means []float64 // of clips
	var names []string         // of the videos that the clips are of
	var best, all [][]float64  // by frame
	for clip := range chunks(records, func(r Record) int { return r.Clip }) {
		var chosen, values []float64
		for draw := range chunks(clip, func(r Record) uint64 { return r.Seed }) {
			var choice []float64
			for _, r := range draw {
				choice = append(choice, value(r.score(chooser.Name)))
			}
			at := chooser.BestOf(choice)
			for k, r := range draw {
				v := r.score(m.Name)
				if values = append(values, value(v)); v.Skipped != "" {
					score.Skipped = cmp.Or(score.Skipped, v.Skipped)
					score.SkippedVideos++
					continue
				}
				all = append(all, v.Frames)
				if k == at {
					chosen, best = append(chosen, v.Value), append(best, v.Frames)
				}
			}
		}
		bests, means, names = append(bests, metric.Average(chosen)), append(means, metric.Average(values)), append(names, clip[0].Video)
	}
	if score.SkippedVideos == len(records) {
		return Score{Unit: m.Unit, Skipped: cmp.Or(score.Skipped, "no records")}
	}
	interval := s.Protocol.Rules.Interval
	score.Best, score.Mean = metric.Summarize(bests, names, interval), metric.Summarize(means, names, interval)
	score.BestByFrame, score.MeanByFrame = byFrame(best), byFrame(all)
	return score
}

// overSeeds adds to the scores how they differ between seeds.
func overSeeds(scores map[string]Score, seeds []SeedResult) {
	for name, score := range scores {
		deviation := func(of func(Score) float64) *Deviation {
			var values []float64
			for _, s := range seeds {
				values = append(values, of(s.Scores[name]))
			}
			return newDeviation(values)
		}
		summary := func(of func(Score) metric.Summary) *Deviation {
			return deviation(func(s Score) float64 {
				if of(s).N == 0 { // the zero value, too
					return math.NaN()
				}
				return of(s).Mean
			})
		}
		o := OverSeeds{
			Best: summary(func(s Score) metric.Summary { return s.Best }),
			Mean: summary(func(s Score) metric.Summary { return s.Mean }),
			Set: deviation(func(s Score) float64 {
				if s.Set == nil {
					return math.NaN()
				}
				return s.Set.Value
			}),
		}
		if o != (OverSeeds{}) {
			score.OverSeeds = &o
			scores[name] = score
		}
	}
}

// newDeviation is of the values that are not NaN, nil if there are less than two.
func newDeviation(values []float64) *Deviation {
	values = slices.DeleteFunc(values, math.IsNaN)
	if len(values) < 2 {
		return nil
	}
	d := &Deviation{Mean: metric.Average(values), Seeds: len(values)}
	squares := 0.0
	for _, v := range values {
		squares += (v - d.Mean) * (v - d.Mean)
	}
	d.SD = math.Sqrt(squares / float64(len(values)-1))
	return d
}

// value is a score as a number, NaN if it was skipped.
func value(s metric.Score) float64 {
	if s.Skipped != "" {
		return math.NaN()
	}
	return s.Value
}

// byFrame is the mean for each frame over videos of the same length, nil if it differs.
func byFrame(videos [][]float64) []float64 {
	if len(videos) == 0 {
		return nil
	}
	means := make([]float64, len(videos[0]))
	for _, frames := range videos {
		if len(frames) != len(means) {
			return nil
		}
		for i, s := range frames {
			means[i] += s / float64(len(videos))
		}
	}
	return means
}
