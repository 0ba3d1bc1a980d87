package page

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"mcvd/eval"
	"mcvd/eval/metric"
)

// samples is how many videos of the task generate are shown.
const samples = 4

// chosen is a clip that is shown, with the videos that are.
type chosen struct {
	title   string
	records []eval.Record
}

// Choose lists the records of the videos that are shown. By the first metric that scores videos one
// by one these are of the best, the median and the worst clip, each with the best and the worst of
// its trajectories. Where no metric does, they are of the first clips.
func Choose(r *eval.Report) (records []eval.Record) {
	for _, c := range choose(r) {
		records = append(records, c.records...)
	}
	return records
}

func choose(r *eval.Report) (all []chosen) {
	byClip := map[int][]eval.Record{} // of the model
	for _, record := range r.Records {
		if record.Method == r.Results[0].Method {
			byClip[record.Clip] = append(byClip[record.Clip], record)
		}
	}
	m, ok := ranking(r)
	if !ok {
		for _, clip := range slices.Sorted(maps.Keys(byClip))[:min(samples, len(byClip))] {
			all = append(all, chosen{fmt.Sprintf("clip %d", clip), byClip[clip][:1]})
		}
		return all
	}
	clips := ranked(m, byClip)
	if len(clips) == 0 {
		return nil
	}
	shown := map[int]bool{}
	for _, show := range []struct {
		name string
		at   int
	}{{"best", 0}, {"worst", len(clips) - 1}, {"median", (len(clips) - 1) / 2}} {
		if shown[show.at] {
			continue
		}
		shown[show.at] = true
		c := clips[show.at]
		records := byClip[c.clip]
		if len(records) > 2 {
			records = []eval.Record{records[0], records[len(records)-1]}
		}
		all = append(all, chosen{fmt.Sprintf("%s clip: %s", show.name, scoreText(m, c.score)), records})
	}
	if len(all) == 3 {
		all[1], all[2] = all[2], all[1] // the worst comes last
	}
	return all
}

// place is a clip with its score, the mean over its trajectories.
type place struct {
	clip  int
	score float64
}

// ranked are the clips that a metric scored, the best first. Of each it leaves the records that were
// scored in byClip, the best first, too.
func ranked(m metric.Info, byClip map[int][]eval.Record) (places []place) {
	for _, clip := range slices.Sorted(maps.Keys(byClip)) {
		byClip[clip] = sortBy(m, byClip[clip])
		var values []float64
		for _, record := range byClip[clip] {
			values = append(values, record.Scores[m.Name].Value)
		}
		if mean := metric.Average(values); !math.IsNaN(mean) {
			places = append(places, place{clip, mean})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return worse(m, a.score, b.score) })
	return places
}

// ranking is the metric by which clips are ranked: the first that has scores of the model's videos.
func ranking(r *eval.Report) (metric.Info, bool) {
	for _, m := range r.Metrics {
		if len(scoresOf(r, r.Results[0].Method, m.Name).values) > 0 {
			return m, true
		}
	}
	return metric.Info{}, false
}

// sortBy are the records that a metric scored, the best first.
func sortBy(m metric.Info, records []eval.Record) []eval.Record {
	scored := slices.DeleteFunc(slices.Clone(records), func(r eval.Record) bool {
		s, ok := r.Scores[m.Name]
		return !ok || s.Skipped != ""
	})
	slices.SortStableFunc(scored, func(a, b eval.Record) int { return worse(m, a.Scores[m.Name].Value, b.Scores[m.Name].Value) })
	return scored
}

// worse is below 0 if a is the better score.
func worse(m metric.Info, a, b float64) int {
	switch {
	case a == b:
		return 0
	case (a > b) == m.HigherIsBetter:
		return -1
	}
	return 1
}
