package eval

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"mcvd/configs"
	"mcvd/eval/metric"
)

// Report is the result of an evaluation, with everything that its numbers depend on.
type Report struct {
	Protocol   Protocol        `json:"protocol"`
	Run        string          `json:"run"`
	Checkpoint string          `json:"checkpoint"`
	Step       int             `json:"step"` // training steps behind the weights
	Dataset    string          `json:"dataset"`
	Split      string          `json:"split"`
	Videos     int             `json:"videos"` // in the split; more clips than that come from some of them twice
	Sampler    configs.Sampler `json:"sampler"`
	Backend    string          `json:"backend"`
	// NFE is the number of network evaluations behind a video.
	NFE            int     `json:"nfe"`
	SecondsPerClip float64 `json:"seconds_per_clip"` // for one trajectory
	// Results, the model first, then the baselines.
	Results []Result `json:"results"`
}

// Result is the scores of one method.
type Result struct {
	Method string           `json:"method"`
	Scores map[string]Score `json:"scores"` // by metric
}

// Score is one metric's result over all clips.
type Score struct {
	Unit string `json:"unit,omitempty"`
	// Best takes each clip's best trajectory, Mean the mean of its trajectories.
	Best metric.Summary `json:"best"`
	Mean metric.Summary `json:"mean"`
	// ByFrame are the means over clips for each frame: of the trajectory that is best in this metric over the whole video, and of all.
	BestByFrame []float64 `json:"best_by_frame,omitempty"`
	MeanByFrame []float64 `json:"mean_by_frame,omitempty"`
	// Skipped says why there is no score.
	Skipped string `json:"skipped,omitempty"`
}

// report sums up.
func (e *evaluation) report() (*Report, error) {
	nfe, err := e.NFE(e.job)
	if err != nil {
		return nil, err
	}
	r := &Report{Protocol: e.Protocol, Videos: e.dataset.Len(), NFE: nfe,
		SecondsPerClip: e.seconds / float64(e.Clips*e.Trajectories)}
	methods := append([]string{modelMethod}, configs.Names(baselines(e.job.Task))...)
	for _, method := range methods {
		result := Result{Method: method, Scores: map[string]Score{}}
		for _, name := range metric.Names() {
			result.Scores[name] = e.score(method, name)
		}
		r.Results = append(r.Results, result)
	}
	return r, nil
}

func (e *evaluation) score(method, name string) Score {
	m, err := metric.Lookup(name)
	t := e.scores[method]
	switch {
	case err != nil:
		return Score{Skipped: err.Error()}
	case t == nil:
		return Score{Unit: m.Unit, Skipped: "a generated video has no real counterpart"}
	case t.skipped[name] != "":
		return Score{Unit: m.Unit, Skipped: t.skipped[name]}
	}
	score := Score{Unit: m.Unit, Best: metric.Summarize(m.Best(t.video[name])), Mean: metric.Summarize(metric.Average(t.video[name])),
		BestByFrame: make([]float64, e.Frames), MeanByFrame: make([]float64, e.Frames)}
	for c, trajectories := range t.frames[name] {
		best := bestOf(m, t.video[name][c])
		for k, frames := range trajectories {
			for i, s := range frames {
				score.MeanByFrame[i] += s / float64(len(t.frames[name])*len(trajectories))
				if k == best {
					score.BestByFrame[i] += s / float64(len(t.frames[name]))
				}
			}
		}
	}
	return score
}

// bestOf is the index of the best score.
func bestOf(m metric.Metric, scores []float64) int {
	best := 0
	for k, s := range scores {
		if m.HigherIsBetter && s > scores[best] || !m.HigherIsBetter && s < scores[best] {
			best = k
		}
	}
	return best
}

// WriteText prints the report as tables for people.
func (r *Report) WriteText(out io.Writer) error {
	p := r.Protocol
	fmt.Fprintf(out, "%s %d frames: %d clips of the %d videos of %s/%s, trajectories: %d each, advance %d, seed %d\n",
		p.Task, p.Frames, p.Clips, r.Videos, r.Dataset, r.Split, p.Trajectories, p.Advance, p.Seed)
	fmt.Fprintf(out, "%s (step %d), %s with %d steps, %d network evaluations and %.2f s a video, backend %s\n\n", r.Checkpoint, r.Step, r.Sampler.Name, r.Sampler.Steps, r.NFE, r.SecondsPerClip, r.Backend)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") }
	header := []string{"mean over clips [95 % interval]"}
	for _, name := range metric.Names() {
		header = append(header, label(name, r.Results[0].Scores[name].Unit))
	}
	row(header...)
	for _, result := range r.Results {
		if result.Method == modelMethod && p.Trajectories > 1 {
			row(r.cells(fmt.Sprintf("model, best of %d", p.Trajectories), result, func(s Score) metric.Summary { return s.Best })...)
			row(r.cells(fmt.Sprintf("model, mean of %d", p.Trajectories), result, func(s Score) metric.Summary { return s.Mean })...)
			continue
		}
		row(r.cells(result.Method, result, func(s Score) metric.Summary { return s.Mean })...)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return r.writeFrames(out)
}

func (r *Report) cells(name string, result Result, pick func(Score) metric.Summary) []string {
	cells := []string{name}
	for _, m := range metric.Names() {
		s := result.Scores[m]
		switch summary := pick(s); {
		case s.Skipped != "":
			cells = append(cells, "-")
		case math.IsNaN(summary.Low):
			cells = append(cells, number(m, summary.Mean))
		default:
			cells = append(cells, fmt.Sprintf("%s [%s, %s]", number(m, summary.Mean), number(m, summary.Low), number(m, summary.High)))
		}
	}
	return cells
}

// writeFrames prints the means by frame, and why scores are missing.
func (r *Report) writeFrames(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, name := range metric.Names() {
		first := r.Results[0].Scores[name]
		if first.Skipped != "" {
			fmt.Fprintf(w, "\n%s: skipped: %s", name, first.Skipped)
			continue
		}
		fmt.Fprintf(w, "\n%s by frame\t", label(name, first.Unit))
		for i := range first.MeanByFrame {
			fmt.Fprintf(w, "%d\t", i+1)
		}
		for _, result := range r.Results {
			fmt.Fprintf(w, "\n%s\t", result.Method)
			for _, s := range result.Scores[name].MeanByFrame {
				fmt.Fprintf(w, "%s\t", number(name, s))
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func label(name, unit string) string {
	if unit == "" {
		return name
	}
	return name + " " + unit
}

// number prints a score with the digits that mean something.
func number(metricName string, x float64) string {
	if metricName == "psnr" {
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.4f", x)
}
