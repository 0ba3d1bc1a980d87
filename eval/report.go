package eval

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"mcvd/configs"
	"mcvd/eval/metric"
)

// Header has everything that the numbers of a report depend on.
type Header struct {
	Protocol   Protocol      `json:"protocol"`
	Metrics    []metric.Info `json:"metrics"`
	Run        string        `json:"run"`
	Checkpoint string        `json:"checkpoint"`
	// CheckpointSHA256 is the hash of the checkpoint's file.
	CheckpointSHA256 string          `json:"checkpoint_sha256,omitempty"`
	Step             int             `json:"step"` // training steps behind the weights
	Dataset          string          `json:"dataset"`
	Path             string          `json:"path,omitempty"` // of the data set
	Past             int             `json:"past"`           // frames that a video begins with, given
	Future           int             `json:"future"`         // given frames that it ends with
	Videos           int             `json:"videos"`         // in the split; more clips than that come from some of them twice
	Sampler          configs.Sampler `json:"sampler"`
	Backend          string          `json:"backend"`
	// NFE is the number of network evaluations behind a video.
	NFE            int     `json:"nfe"`
	SecondsPerClip float64 `json:"seconds_per_clip,omitzero"` // for one trajectory; 0 is unknown
}

// check reports what no evaluation writes, and what could not be summed up or printed.
func (h Header) check() error {
	p := h.Protocol
	if p.Clips < 1 || p.Trajectories < 1 {
		return fmt.Errorf("%d clips and %d trajectories, want 1 or more of each", p.Clips, p.Trajectories)
	}
	if !slices.Contains([]metric.Interval{metric.Normal, metric.Bootstrap}, p.Rules.Interval) {
		return fmt.Errorf("protocol.rules.interval: %q, want %s or %s", p.Rules.Interval, metric.Normal, metric.Bootstrap)
	}
	if !slices.Contains([]string{"one", "each"}, p.Rules.Best) {
		return fmt.Errorf("protocol.rules.best: %q, want one or each", p.Rules.Best)
	}
	for i, m := range h.Metrics {
		if m.Digits < 0 || m.Digits > maxDigits {
			return fmt.Errorf("metric %s: digits: %d, want 0 to %d", m.Name, m.Digits, maxDigits)
		}
		if slices.ContainsFunc(h.Metrics[:i], func(other metric.Info) bool { return other.Name == m.Name }) {
			return fmt.Errorf("metric %s: is there twice", m.Name)
		}
	}
	return nil
}

// maxDigits is how many digits of a float64 can mean something.
const maxDigits = 17

// Report is the result of an evaluation.
type Report struct {
	Header
	// Results, the model first, then the baselines.
	Results []Result `json:"results"`
	// Records are what they are made of.
	Records []Record `json:"records"`
}

// Result is the scores of one method.
type Result struct {
	Method string           `json:"method"`
	Scores map[string]Score `json:"scores"` // by metric
}

// Score is the result of one metric over all clips.
type Score struct {
	Unit string `json:"unit,omitempty"`
	// Best takes each clip's best trajectory, chosen as Rules.Best says. Mean takes the mean of a
	// clip's trajectories.
	Best metric.Summary `json:"best,omitzero"`
	Mean metric.Summary `json:"mean,omitzero"`
	// BestByFrame and MeanByFrame are the means over clips for each frame: of the best trajectory, and of all.
	BestByFrame []float64 `json:"best_by_frame,omitempty"`
	MeanByFrame []float64 `json:"mean_by_frame,omitempty"`
	// Set is the result of a metric of sets, which has none of the fields above.
	Set *SetScore `json:"set,omitempty"`
	// Skipped says why scores are missing. If only some are, SkippedVideos is the number of videos
	// without a score.
	Skipped       string `json:"skipped,omitempty"`
	SkippedVideos int    `json:"skipped_videos,omitempty"`
}

// SetScore is the distance of a number of generated clips from a number of real ones, both as a
// whole.
type SetScore struct {
	Value float64 `json:"value"`
	Real  int     `json:"real"`
	Made  int     `json:"generated"`
}

// NewReport sums records up. It depends on its arguments alone, and not on the order of the
// records.
func NewReport(h Header, records []Record, sets []SetValue) *Report {
	byMethod := map[string][]Record{modelMethod: nil}
	for _, r := range records {
		byMethod[r.Method] = append(byMethod[r.Method], r)
	}
	r := &Report{Header: h, Records: slices.Clone(records)}
	slices.SortStableFunc(r.Records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Clip, b.Clip), cmp.Compare(a.Trajectory, b.Trajectory))
	})
	chooser := chosenBy(h, byMethod[modelMethod])
	for _, method := range configs.Names(byMethod) {
		result := Result{Method: method, Scores: map[string]Score{}}
		for _, m := range h.Metrics {
			at := slices.IndexFunc(sets, func(v SetValue) bool { return v.Method == method && v.Metric == m.Name })
			if at >= 0 {
				result.Scores[m.Name] = setScore(m, sets[at])
			} else {
				result.Scores[m.Name] = pairScore(m, byMethod[method], h.Protocol.Rules, chooser)
			}
		}
		if method == modelMethod {
			r.Results = slices.Insert(r.Results, 0, result)
		} else {
			r.Results = append(r.Results, result)
		}
	}
	return r
}

func setScore(m metric.Info, v SetValue) Score {
	if v.Skipped != "" {
		return Score{Unit: m.Unit, Skipped: v.Skipped}
	}
	return Score{Unit: m.Unit, Set: &SetScore{v.Value, v.Real, v.Made}}
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

// pairScore sums one metric of a method's videos up. chooser chooses the best trajectory, m itself
// if it is nil.
func pairScore(m metric.Info, records []Record, rules Rules, chooser *metric.Info) Score {
	score := Score{Unit: m.Unit}
	var videos [][]metric.Score // by clip and trajectory
	var names []string          // of the videos that the clips are of
	var choice [][]float64      // like values, of the chooser
	if chooser == nil {
		chooser = &m
	}
	slices.SortStableFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Clip, b.Clip), cmp.Compare(a.Trajectory, b.Trajectory))
	})
	for i, r := range records {
		s := r.score(m.Name)
		if s.Skipped != "" {
			score.Skipped = cmp.Or(score.Skipped, s.Skipped)
			score.SkippedVideos++
		}
		if i == 0 || r.Clip != records[i-1].Clip {
			videos, names, choice = append(videos, nil), append(names, r.Video), append(choice, nil)
		}
		last := len(videos) - 1
		videos[last] = append(videos[last], s)
		choice[last] = append(choice[last], value(r.score(chooser.Name)))
	}
	if score.SkippedVideos == len(records) {
		score.SkippedVideos, score.Skipped = 0, cmp.Or(score.Skipped, "no records")
		return score
	}
	var best, all [][]float64 // by frame
	bests, means := make([]float64, len(videos)), make([]float64, len(videos))
	for c, clip := range videos {
		var values []float64
		bests[c] = math.NaN()
		chosen := chooser.BestOf(choice[c])
		for k, s := range clip {
			values = append(values, value(s))
			if s.Skipped != "" {
				continue
			}
			all = append(all, s.Frames)
			if k == chosen {
				bests[c], best = s.Value, append(best, s.Frames)
			}
		}
		means[c] = metric.Average(values)
	}
	score.Best, score.Mean = metric.Summarize(bests, names, rules.Interval), metric.Summarize(means, names, rules.Interval)
	score.BestByFrame, score.MeanByFrame = byFrame(best), byFrame(all)
	return score
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

// CheckScored is an error if no metric has a score of the model's videos, as the report says of each.
func (r *Report) CheckScored() error {
	for _, m := range r.Metrics {
		if s := r.Results[0].Scores[m.Name]; s.Set != nil || s.Mean.N > 0 {
			return nil
		}
	}
	return errors.New("no metric has a score; the report says why")
}

// WriteText prints the report as tables for people.
func (r *Report) WriteText(out io.Writer) error {
	p := r.Protocol
	fmt.Fprintln(out, p.title())
	fmt.Fprintf(out, "%s %d frames: %d clips of the %d videos of %s/%s, trajectories: %d each, advance %d, seed %d\n",
		p.Task, p.Frames, p.Clips, r.Videos, r.Dataset, p.Split, p.Trajectories, p.Advance, p.Seed)
	seconds := ""
	if r.SecondsPerClip > 0 {
		seconds = fmt.Sprintf(" and %.2f s", r.SecondsPerClip)
	}
	fmt.Fprintf(out, "%s (step %d), %s with %d steps, %d network evaluations%s a video, backend %s\n\n", r.Checkpoint, r.Step, r.Sampler.Name, r.Sampler.Steps, r.NFE, seconds, r.Backend)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") }
	header := []string{"mean over clips [95 % interval]"}
	for _, m := range r.Metrics {
		header = append(header, label(m))
	}
	row(header...)
	mean := func(m metric.Info, s Score) string {
		if s.Set != nil {
			return number(m, s.Set.Value)
		}
		return interval(m, s.Mean)
	}
	best := func(m metric.Info, s Score) string { return interval(m, s.Best) }
	for _, result := range r.Results {
		if result.Method == modelMethod && p.Trajectories > 1 {
			row(r.cells(fmt.Sprintf("model, best of %d", p.Trajectories), result, best)...)
			row(r.cells(fmt.Sprintf("model, mean of %d", p.Trajectories), result, mean)...)
			continue
		}
		row(r.cells(result.Method, result, mean)...)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, better(r.Metrics))
	return r.writeFrames(out)
}

func (r *Report) cells(name string, result Result, cell func(metric.Info, Score) string) []string {
	cells := []string{name}
	for _, m := range r.Metrics {
		cells = append(cells, cell(m, result.Scores[m.Name]))
	}
	return cells
}

// interval is a mean with its interval, or a dash where there is none.
func interval(m metric.Info, s metric.Summary) string {
	switch {
	case s.N == 0:
		return "-"
	case math.IsNaN(s.Low):
		return number(m, s.Mean)
	}
	return fmt.Sprintf("%s [%s, %s]", number(m, s.Mean), number(m, s.Low), number(m, s.High))
}

// writeFrames prints the means by frame, how large sets were, and why scores are missing.
func (r *Report) writeFrames(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, m := range r.Metrics {
		first := r.Results[0].Scores[m.Name]
		switch {
		case first.SkippedVideos > 0:
			fmt.Fprintf(w, "\n%s: %d videos skipped: %s", m.Name, first.SkippedVideos, first.Skipped)
		case first.Skipped != "":
			fmt.Fprintf(w, "\n%s: skipped: %s", m.Name, first.Skipped)
		case first.Set != nil && m.Whole:
			fmt.Fprintf(w, "\n%s: of %d real and %d generated clips, with the frames that were given", m.Name, first.Set.Real, first.Set.Made)
		case first.Set != nil:
			fmt.Fprintf(w, "\n%s: of %d real and %d generated clips", m.Name, first.Set.Real, first.Set.Made)
		}
		if len(first.MeanByFrame) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s by frame\t", label(m))
		for i := range first.MeanByFrame {
			fmt.Fprintf(w, "%d\t", i+1)
		}
		for _, result := range r.Results {
			fmt.Fprintf(w, "\n%s\t", result.Method)
			for _, s := range result.Scores[m.Name].MeanByFrame {
				fmt.Fprintf(w, "%s\t", number(m, s))
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// label is the head of a metric's column.
func label(m metric.Info) string {
	if m.Unit == "" {
		return m.Name
	}
	return m.Name + " " + m.Unit
}

// better says of each metric which scores are good.
func better(metrics []metric.Info) string {
	names := map[bool][]string{}
	for _, m := range metrics {
		names[m.HigherIsBetter] = append(names[m.HigherIsBetter], m.Name)
	}
	var parts []string
	if higher := names[true]; len(higher) > 0 {
		parts = append(parts, "higher is better: "+strings.Join(higher, ", "))
	}
	if lower := names[false]; len(lower) > 0 {
		parts = append(parts, "lower is better: "+strings.Join(lower, ", "))
	}
	return strings.Join(parts, "; ")
}

// number prints a score with the digits that mean something.
func number(m metric.Info, x float64) string { return strconv.FormatFloat(x, 'f', m.Digits, 64) }
