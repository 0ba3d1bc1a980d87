package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"mcvd/configs"
	"mcvd/eval"
	"mcvd/eval/metric"
	"mcvd/models/guidance"
)

// view is what the page's template shows: everything but what is drawn.
type view struct {
	Title      string
	Subtitle   string
	Deviations []string
	Facts      []fact
	Metrics    []column
	Rows       []row
	Notes      []string // about the numbers
	Settings   []fact   // of the experiment
	Films      *filmNotes
	HowToFilms string // the command that adds films, if there are none
}

// fact is a line of what was evaluated, and how.
type fact struct{ Name, Value, Note string }

// column is a metric in the table.
type column struct{ Label, Better string }

// row is a method in the table.
type row struct {
	Name  string
	Color int  // of its curves
	Best  bool // whether it is the best of several trajectories, chosen with the real video at hand
	Part  bool // whether it is of one seed of the noise, or compares seeds
	Cells []cell

	score score // what of a score its cells show; nil is its mean
}

// cell is a score. Its texts are empty where there is none.
type cell struct {
	Value, Interval string
	Top             bool // the best of its column
	value           float64
}

func newView(r *eval.Report) *view {
	p := r.Protocol
	v := &view{Title: p.Task + ": " + r.Run, Deviations: p.Deviations, Facts: facts(r), Rows: rows(r), Notes: notes(r)}
	for _, path := range configs.Names(r.Config) {
		v.Settings = append(v.Settings, fact{Name: path, Value: r.Config[path]})
	}
	v.Subtitle = fmt.Sprintf("step %d, protocol %s: %s of %s, %s", r.Step, p.Name, count(p.Clips, "clip"), count(p.Frames, "frame"), videos(p))
	for _, m := range r.Metrics {
		v.Metrics = append(v.Metrics, column{m.Label(), better(m)})
	}
	return v
}

func better(m metric.Info) string {
	if m.HigherIsBetter {
		return "higher is better"
	}
	return "lower is better"
}

// rows are the methods: the model's best and mean trajectories, those of each seed of the noise and
// their deviation if there are several, then the baselines.
func rows(r *eval.Report) (all []row) {
	for i, result := range r.Results {
		if i > 0 {
			all = append(all, newRow(r, result.Scores, row{Name: result.Method, Color: i % colors}))
			continue
		}
		all = append(all, trajectories(r, result.Method, result.Scores, row{}, best, mean)...)
		for _, s := range r.Seeds {
			all = append(all, trajectories(r, fmt.Sprintf("seed %d", s.Seed), s.Scores, row{Part: true}, best, mean)...)
		}
		if len(r.Seeds) > 0 {
			all = append(all, trajectories(r, "standard deviation over seeds", result.Scores, row{Part: true}, bestDeviation, meanDeviation)...)
		}
	}
	for c, m := range r.Metrics {
		markTop(m, all, c)
	}
	return all
}

// trajectories are the rows of the model: of its best and of all trajectories, or one row if a clip
// has one. Sets, which have no best trajectory, stand in the rows of means.
func trajectories(r *eval.Report, name string, scores map[string]eval.Score, like row, best, mean score) []row {
	k := r.Protocol.Trajectories
	like.Name, like.score = name, mean
	if k == 1 {
		return []row{newRow(r, scores, like)}
	}
	first := like
	first.Name, first.Best, first.score = fmt.Sprintf("%s, best of %d", name, k), true, best
	like.Name = fmt.Sprintf("%s, mean of %d", name, k)
	return []row{newRow(r, scores, first), newRow(r, scores, like)}
}

// newRow fills a row with scores.
func newRow(r *eval.Report, scores map[string]eval.Score, like row) row {
	for _, m := range r.Metrics {
		of := like.score
		if of == nil {
			of = mean
		}
		like.Cells = append(like.Cells, of(m, scores[m.Name]))
	}
	return like
}

// score is one of the numbers of a score, as a cell.
type score func(m metric.Info, s eval.Score) cell

func best(m metric.Info, s eval.Score) cell { return summary(m, s.Best) }

func mean(m metric.Info, s eval.Score) cell {
	if s.Set != nil {
		return cell{Value: m.Number(s.Set.Value), value: s.Set.Value}
	}
	return summary(m, s.Mean)
}

func bestDeviation(m metric.Info, s eval.Score) cell {
	if s.OverSeeds == nil {
		return cell{}
	}
	return deviation(m, s.OverSeeds.Best)
}

func meanDeviation(m metric.Info, s eval.Score) cell {
	if s.OverSeeds == nil {
		return cell{}
	}
	return deviation(m, cmp.Or(s.OverSeeds.Set, s.OverSeeds.Mean))
}

func deviation(m metric.Info, d *eval.Deviation) cell {
	if d == nil {
		return cell{}
	}
	return cell{Value: m.Number(d.SD)}
}

// markTop marks the best of a column: of the methods as they are, not of trajectories that were chosen
// with the real video at hand.
func markTop(m metric.Info, all []row, column int) {
	top, competing := math.NaN(), 0
	for _, row := range all {
		c := row.Cells[column]
		if row.Best || row.Part || c.Value == "" {
			continue
		}
		competing++
		if math.IsNaN(top) || worse(m, c.value, top) < 0 {
			top = c.value
		}
	}
	for _, row := range all {
		c := &row.Cells[column]
		c.Top = competing > 1 && !row.Best && !row.Part && c.Value != "" && c.value == top
	}
}

// colors is how many colours charts have.
const colors = 8

func summary(m metric.Info, s metric.Summary) cell {
	switch {
	case s.N == 0:
		return cell{}
	case math.IsNaN(s.Low) || math.IsNaN(s.High):
		return cell{Value: m.Number(s.Mean), value: s.Mean}
	}
	return cell{Value: m.Number(s.Mean), Interval: m.Number(s.Low) + " to " + m.Number(s.High), value: s.Mean}
}

// notes say of what sets were, and why scores are missing.
func notes(r *eval.Report) (all []string) {
	for _, m := range r.Metrics {
		s := r.Results[0].Scores[m.Name]
		switch {
		case s.SkippedVideos > 0:
			all = append(all, fmt.Sprintf("%s: %d videos were skipped: %s", m.Name, s.SkippedVideos, s.Skipped))
		case s.Skipped != "":
			all = append(all, fmt.Sprintf("%s was skipped: %s", m.Name, s.Skipped))
		case s.Set != nil:
			all = append(all, fmt.Sprintf("%s compares sets of %d real and %d generated %s", m.Name, s.Set.Real, s.Set.Made, m.Compared()))
			if e := s.Set.Extrapolation; e != nil {
				all = append(all, fmt.Sprintf("%s extrapolated to infinitely many clips: %s", m.Name, m.Number(e.Infinity)))
			}
		}
		if m.Weights != "" {
			all = append(all, fmt.Sprintf("%s: weights with SHA-256 %s", m.Name, m.Weights))
		}
	}
	return all
}

// facts are what was evaluated, and how.
func facts(r *eval.Report) []fact {
	p := r.Protocol
	data := strings.TrimSpace(r.Dataset + " " + r.Path)
	all := []fact{
		{"run", r.Run, ""},
		{"checkpoint", r.Checkpoint, fmt.Sprintf("step %d", r.Step)},
		{"SHA-256 of the checkpoint", r.CheckpointSHA256, ""},
		{"SHA-256 of the second checkpoint", r.SecondSHA256, "of guidance"},
		{"data set", data, fmt.Sprintf("split %s, %s", p.Split, count(r.Videos, "video"))},
		{"task", fmt.Sprintf("%s %s", p.Task, count(p.Frames, "frame")), given(r)},
		{"clips", count(p.Clips, "clip"), videos(p)},
		{"SHA-256 of the list of clips", p.ClipsSHA256, ""},
		{"windows", p.Windows, fmt.Sprintf("%s kept of each block", count(p.Advance, "frame"))},
		{"sampler", fmt.Sprintf("%s, %s", r.Sampler.Name, count(r.Sampler.Steps, "step")), samplerNote(r.Sampler)},
		{"network evaluations", fmt.Sprintf("%d a video", r.NFE), perFrame(r.NFEPerFrame)},
	}
	if r.SecondsPerClip > 0 {
		all = append(all, fact{"time", fmt.Sprintf("%.3g s a video", r.SecondsPerClip), perFrame(r.SecondsPerFrame)})
	}
	all = append(all, fact{"backend", r.Backend, ""}, seeds(p), fact{"protocol", p.Name, eval.ProtocolDoc(p.Name)})
	all = append(all, rules(p.Rules)...)
	return slices.DeleteFunc(all, func(f fact) bool { return f.Value == "" })
}

// videos says how many there are of each clip.
func videos(p eval.Protocol) string {
	text := count(p.Trajectories, "video") + " of each"
	if n := len(p.Seeds); n > 1 {
		text += fmt.Sprintf(" and seed, %d seeds", n)
	}
	return text
}

func seeds(p eval.Protocol) fact {
	switch {
	case len(p.Seeds) == 0 && p.ClipsSHA256 != "":
		return fact{"seed", fmt.Sprint(p.Seed), "of the noise"}
	case len(p.Seeds) == 0:
		return fact{"seed", fmt.Sprint(p.Seed), "of the clips and of the noise"}
	}
	return fact{"seeds", strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Seeds), " ", ", "), "[]"), fmt.Sprintf("of the noise; %d of the clips", p.Seed)}
}

// given says which frames a video starts from.
func given(r *eval.Report) string {
	switch {
	case r.Past > 0 && r.Future > 0:
		return fmt.Sprintf("between %d and %d given ones", r.Past, r.Future)
	case r.Past > 0:
		return fmt.Sprintf("after %s", count(r.Past, "given one"))
	case r.Future > 0:
		return fmt.Sprintf("before %s", count(r.Future, "given one"))
	}
	return "from noise alone"
}

// perFrame is a cost of a video by its generated frames, "" if it is not known.
func perFrame(x float64) string {
	if !(x > 0) {
		return ""
	}
	return fmt.Sprintf("%.3g a frame", x)
}

func samplerNote(s configs.Sampler) string {
	parts := []string{s.Spacing + " spacing", s.Precision}
	for _, name := range configs.Names(s.Options) {
		parts = append(parts, fmt.Sprintf("%s: %v", name, s.Options[name]))
	}
	if s.Start > 0 {
		parts = append(parts, fmt.Sprintf("later windows start at %g", s.Start))
	}
	if guide := guidance.Describe(s.Guidance); guide != "" {
		parts = append(parts, guide)
	}
	return strings.Join(parts, ", ")
}

// rules are the protocol's, in words. A rule that has no words here is shown by its name.
func rules(r eval.Rules) []fact {
	word := func(name string, words map[string]string) string { return cmp.Or(words[name], name) }
	all := []fact{
		{"clips are", word(r.Order, map[string]string{"fixed": "a fixed random order of all videos, anywhere in them", "spread": "evenly spread over all videos", "listed": "those of a list"}), ""},
		{"numbers become bytes", word(r.Pixels, map[string]string{"nearest": "by rounding", "floor": "by cutting off"}), ""},
		{"best trajectory", word(r.Best, map[string]string{"one": "one for all metrics, chosen by the first that scores videos one by one", "each": "each metric chooses its own"}), ""},
		{"intervals of 95 %", word(string(r.Interval), map[string]string{string(metric.Bootstrap): "by bootstrap over videos", string(metric.Normal): "1.96 standard errors over clips"}), ""},
	}
	if r.Unrounded {
		all = append(all, fact{"FVD", "of frames before they become bytes", ""})
	}
	if r.Binary {
		all = append(all, fact{"SSIM", "of pixels rounded to black or white", ""})
	}
	return all
}

// count is so many things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
