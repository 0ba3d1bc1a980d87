package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"text/tabwriter"

	"mcvd/configs/regular"
	"mcvd/eval/metric"
)

// ReadReport reads a report that was written as JSON.
func ReadReport(path string) (*Report, error) {
	text, err := regular.Read(path)
	if err != nil {
		return nil, err
	}
	r, err := parseReport(text)
	if err != nil {
		return nil, fmt.Errorf("%s: not a report of an evaluation%w", path, err)
	}
	return r, nil
}

// parseReport reads a report. An error goes on after the words that the text is none.
func parseReport(text []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	if len(r.Records) == 0 || len(r.Results) == 0 || r.Results[0].Method != modelMethod {
		return nil, errors.New(" with its results and records (`mcvd eval RUN -o FILE` writes one)")
	}
	if err := r.Header.check(); err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	return r, nil
}

// Comparison is reports side by side. The first is what the others are compared with.
type Comparison struct {
	Names   []string
	Reports []*Report
	metrics []metric.Info
	// differ lists, for each report, in what its numbers mean something else than the first's.
	differ [][]string
}

// Compare puts reports side by side. It refuses those whose numbers don't mean the same: of other
// clips, counts, tasks or rules. Runs, checkpoints, samplers and backends may differ. mixed allows
// all, but for the clips of a pair, without which there is nothing to compare.
func Compare(names []string, reports []*Report, mixed bool) (*Comparison, error) {
	c := &Comparison{Names: names, Reports: reports, differ: make([][]string, len(reports))}
	first := reports[0]
	for i, r := range reports[1:] {
		differ := first.incomparable(r)
		if len(differ) > 0 && !mixed {
			return nil, fmt.Errorf("%s and %s can't be compared (--mixed does it all the same):\n  %s", names[0], names[i+1], strings.Join(differ, "\n  "))
		}
		c.differ[i+1] = differ
	}
	for _, m := range first.Metrics {
		if !slices.ContainsFunc(reports, func(r *Report) bool { return !slices.Contains(r.Metrics, m) }) {
			c.metrics = append(c.metrics, m)
		}
	}
	if len(c.metrics) == 0 {
		return nil, fmt.Errorf("%s: have no metric in common", strings.Join(names, ", "))
	}
	return c, nil
}

// incomparable lists in what another report's numbers mean something else.
func (r *Report) incomparable(other *Report) (differ []string) {
	same := func(h Header) Header { // what may differ is taken out, and what follows from the rest
		h.Protocol.Deviations = nil
		return Header{Protocol: h.Protocol, Past: h.Past, Future: h.Future, Dataset: h.Dataset, Videos: h.Videos}
	}
	a, errA := json.Marshal(same(r.Header))
	b, errB := json.Marshal(same(other.Header))
	if errA != nil || errB != nil {
		return []string{"headers can't be read"}
	}
	differ = differences(a, b, "%s: %s and %s")
	if places, others := r.places(), other.places(); len(differ) == 0 && !maps.Equal(places, others) {
		differ = append(differ, "the clips: of other videos, cut at other frames, or with other pixels")
	}
	return differ
}

// place is where a clip was cut, and what is there: data sets in two folders may have equal names.
type place struct {
	video  string
	start  int
	frames uint32 // checksum
}

// places are where clips were cut, by their numbers.
func (r *Report) places() map[int]place {
	all := map[int]place{}
	for _, record := range r.Records {
		all[record.Clip] = place{record.Video, record.Start, record.Frames}
	}
	return all
}

// means are the mean scores of the model's trajectories of each clip in a metric.
func (r *Report) means(name string) map[int]float64 {
	values := map[int][]float64{}
	for _, record := range r.Records {
		if record.Method == modelMethod {
			values[record.Clip] = append(values[record.Clip], value(record.score(name)))
		}
	}
	all := map[int]float64{}
	for clip, v := range values {
		if mean := metric.Average(v); !math.IsNaN(mean) {
			all[clip] = mean
		}
	}
	return all
}

// Difference is how much better or worse a report is than the first, clip by clip.
type Difference struct {
	metric.Summary
	// P is the probability of a mean difference as large as this one if the signs of the videos'
	// differences were a matter of chance.
	P float64
}

// Difference compares report i with the first in a metric of pairs, over the clips that both have
// scored.
func (c *Comparison) Difference(i int, m metric.Info) Difference {
	first, other, places := c.Reports[0].means(m.Name), c.Reports[i].means(m.Name), c.Reports[0].places()
	theirs := c.Reports[i].places()
	var values []float64
	var videos []string
	for _, clip := range slices.Sorted(maps.Keys(first)) {
		if v, ok := other[clip]; ok && places[clip] == theirs[clip] {
			values, videos = append(values, v-first[clip]), append(videos, places[clip].video)
		}
	}
	return Difference{metric.Summarize(values, videos, metric.Bootstrap), signTest(values, videos)}
}

// signTest is the share of choices of a sign for each video with which the sum of the differences is
// as far from 0 as it is, or further: of all choices for up to 13 videos, else of 10,000 random
// ones and the one that was observed. It is NaN for no values.
func signTest(values []float64, videos []string) float64 {
	sums := map[string]float64{}
	total := 0.0
	for i, v := range values {
		sums[videos[i]] += v
		total += v
	}
	if len(sums) == 0 {
		return math.NaN()
	}
	names := slices.Sorted(maps.Keys(sums))
	asFar := func(positive func(i int) bool) float64 {
		sum := 0.0
		for i, name := range names {
			if positive(i) {
				sum += sums[name]
			} else {
				sum -= sums[name]
			}
		}
		if math.Abs(sum) >= math.Abs(total)*(1-1e-12) {
			return 1
		}
		return 0
	}
	found := 0.0
	if len(names) <= 13 {
		all := 1 << len(names)
		for choice := range all {
			found += asFar(func(i int) bool { return choice>>i&1 == 1 })
		}
		return found / float64(all)
	}
	const choices = 10_000
	rng := rand.New(rand.NewPCG(2, uint64(len(names))))
	for range choices {
		found += asFar(func(int) bool { return rng.Uint64()&1 == 1 })
	}
	return (found + 1) / (choices + 1)
}

// WriteText prints the comparison as a table.
func (c *Comparison) WriteText(out io.Writer) error {
	p := c.Reports[0].Protocol
	fmt.Fprintf(out, "%s\n%s %d frames: %d clips, trajectories: %d each, of which scores are means\n", p.title(), p.Task, p.Frames, p.Clips, p.Trajectories)
	for i, r := range c.Reports {
		fmt.Fprintf(out, "%s: %s, %d network evaluations a video, backend %s\n", c.Names[i], r.maker(), r.NFE, r.Backend)
	}
	for i, differ := range c.differ {
		if len(differ) > 0 {
			fmt.Fprintf(out, "MIXED: %s and %s differ in what their numbers mean:\n  %s\n", c.Names[0], c.Names[i], strings.Join(differ, "\n  "))
		}
	}
	fmt.Fprintf(out, "differences from %s are clip by clip [95 %% interval by bootstrap over videos], p by signs of videos\n\n", c.Names[0])
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "METRIC\tREPORT\tSCORE\tDIFFERENCE\tP")
	for _, m := range c.metrics {
		for i, r := range c.Reports {
			score, difference, chance := c.cells(i, m, r.Results[0].Scores[m.Name])
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.Label(), c.Names[i], score, difference, chance)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "\n"+better(c.metrics))
	return err
}

// cells are a report's score in a metric, how far it is from the first report's, and by what
// chance. Sets have one value each, so nothing is known of their chance.
func (c *Comparison) cells(i int, m metric.Info, s Score) (score, difference, chance string) {
	first := c.Reports[0].Results[0].Scores[m.Name]
	switch {
	case s.Set != nil && (i == 0 || first.Set == nil):
		return m.Number(s.Set.Value), "-", "-"
	case s.Set != nil:
		return m.Number(s.Set.Value), fmt.Sprintf("%+.*f", m.Digits, s.Set.Value-first.Set.Value), "-"
	case i == 0 || s.Mean.N == 0:
		return interval(m, s.Mean), "-", "-"
	}
	d := c.Difference(i, m)
	switch {
	case d.N == 0:
		return interval(m, s.Mean), "no clip in common", "-"
	case math.IsNaN(d.Low):
		return interval(m, s.Mean), fmt.Sprintf("%+.*f", m.Digits, d.Mean), "-"
	}
	return interval(m, s.Mean), fmt.Sprintf("%+.*f [%+.*f, %+.*f]", m.Digits, d.Mean, m.Digits, d.Low, m.Digits, d.High), fmt.Sprintf("%.4f", d.P)
}
