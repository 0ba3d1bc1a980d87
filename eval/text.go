package eval

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"mcvd/eval/metric"
	"mcvd/models/guidance"
)

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
	fmt.Fprintf(out, "%s %d frames: %d clips of the %d videos of %s/%s, trajectories: %d each, advance %d, seed %d%s\n",
		p.Task, p.Frames, p.Clips, r.Videos, r.Dataset, p.Split, p.Trajectories, p.Advance, p.Seed, p.noiseTitle())
	if p.ClipsSHA256 != "" {
		fmt.Fprintf(out, "the clips are those of a list with SHA-256 %s\n", p.ClipsSHA256)
	}
	each := func(evaluations string, seconds float64) string {
		if seconds > 0 {
			return fmt.Sprintf("%s network evaluations and %.3g s", evaluations, seconds)
		}
		return evaluations + " network evaluations"
	}
	fmt.Fprintf(out, "%s, %s a video (%s a frame), backend %s\n\n", r.maker(),
		each(fmt.Sprint(r.NFE), r.SecondsPerClip), each(fmt.Sprintf("%.3g", r.NFEPerFrame), r.SecondsPerFrame), r.Backend)
	if err := r.writeTable(out); err != nil {
		return err
	}
	fmt.Fprintln(out, better(r.Metrics))
	return r.writeFrames(out)
}

// maker says which weights, which sampler and which guidance made the videos.
func (h Header) maker() string {
	text := fmt.Sprintf("%s (step %d), %s with %d steps", h.Checkpoint, h.Step, h.Sampler.Name, h.Sampler.Steps)
	if guide := guidance.Describe(h.Sampler.Guidance); guide != "" {
		text += ", " + guide
	}
	return text
}

// writeTable prints a row for each method, or two if it has several trajectories. Those of single
// seeds and their deviation follow those of the model.
func (r *Report) writeTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, cell func(metric.Info) string) {
		fmt.Fprint(w, name, "\t")
		for _, m := range r.Metrics {
			fmt.Fprint(w, cell(m), "\t")
		}
		fmt.Fprintln(w)
	}
	rows := func(name string, scores map[string]Score, trajectories int, best, mean func(metric.Info, Score) string) {
		of := func(cell func(metric.Info, Score) string) func(metric.Info) string {
			return func(m metric.Info) string { return cell(m, scores[m.Name]) }
		}
		if trajectories == 1 {
			row(name, of(mean))
			return
		}
		row(fmt.Sprintf("%s, best of %d", name, trajectories), of(best))
		row(fmt.Sprintf("%s, mean of %d", name, trajectories), of(mean))
	}
	row("mean over clips [95 % interval]", metric.Info.Label)
	n := r.Protocol.Trajectories
	rows(modelMethod, r.Results[0].Scores, n, best, mean)
	for _, s := range r.Seeds {
		rows(fmt.Sprintf("seed %d", s.Seed), s.Scores, n, best, mean)
	}
	if len(r.Seeds) > 0 {
		rows("deviation over seeds", r.Results[0].Scores, n, bestDeviation, meanDeviation)
	}
	for _, result := range r.Results[1:] {
		rows(result.Method, result.Scores, 1, best, mean)
	}
	return w.Flush()
}

// These are cells of the table. Sets, which have no best trajectory, stand in the rows of means.
func best(m metric.Info, s Score) string { return interval(m, s.Best) }

func mean(m metric.Info, s Score) string {
	if s.Set != nil {
		return m.Number(s.Set.Value)
	}
	return interval(m, s.Mean)
}

func bestDeviation(m metric.Info, s Score) string {
	return deviation(m, s.OverSeeds, func(o *OverSeeds) *Deviation { return o.Best })
}

func meanDeviation(m metric.Info, s Score) string {
	return deviation(m, s.OverSeeds, func(o *OverSeeds) *Deviation { return cmp.Or(o.Set, o.Mean) })
}

func deviation(m metric.Info, o *OverSeeds, of func(*OverSeeds) *Deviation) string {
	if o == nil || of(o) == nil {
		return "-"
	}
	return m.Number(of(o).SD)
}

// interval is a mean with its interval, or a dash where there is none.
func interval(m metric.Info, s metric.Summary) string {
	switch {
	case s.N == 0:
		return "-"
	case math.IsNaN(s.Low):
		return m.Number(s.Mean)
	}
	return fmt.Sprintf("%s [%s, %s]", m.Number(s.Mean), m.Number(s.Low), m.Number(s.High))
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
		case first.Set != nil:
			fmt.Fprintf(w, "\n%s: of %d real and %d generated %s", m.Name, first.Set.Real, first.Set.Made, m.Compared())
			if e := first.Set.Extrapolation; e != nil {
				fmt.Fprintf(w, "; %s extrapolated to infinitely many", m.Number(e.Infinity))
			}
		}
		if len(first.MeanByFrame) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s by frame\t", m.Label())
		for i := range first.MeanByFrame {
			fmt.Fprintf(w, "%d\t", i+1)
		}
		for _, result := range r.Results {
			fmt.Fprintf(w, "\n%s\t", result.Method)
			for _, s := range result.Scores[m.Name].MeanByFrame {
				fmt.Fprintf(w, "%s\t", m.Number(s))
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	return w.Flush()
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
