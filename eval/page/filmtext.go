package page

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mcvd/eval"
	"mcvd/eval/metric"
)

// scoreText is a score with its metric and its unit.
func scoreText(m metric.Info, x float64) string {
	return strings.TrimSpace(m.Name + " " + m.Number(x) + " " + m.Unit)
}

// scoreLines are the recorded scores of a video.
func scoreLines(r *eval.Report, record eval.Record) (lines []string) {
	for _, m := range r.Metrics {
		if s, ok := record.Scores[m.Name]; ok && s.Skipped == "" {
			lines = append(lines, scoreText(m, s.Value))
		}
	}
	return lines
}

// changed says in which scores a video that was generated again is not the recorded one, "" if it is.
// Where the metric by which clips were ranked can't be computed here, it says that nobody knows.
func changed(r *eval.Report, v eval.Repeated) string {
	if m, ok := ranking(r); ok {
		if s, again := v.Scores[m.Name]; !again || s.Skipped != "" {
			return "Generated again; whether it has its score is not known, because " + m.Name + " can't be computed here."
		}
	}
	var differ []string
	for _, m := range r.Metrics {
		was, ok := v.Record.Scores[m.Name]
		is, again := v.Scores[m.Name]
		if !ok || !again || was.Skipped != "" || is.Skipped != "" {
			continue
		}
		if tolerance := math.Pow(10, -float64(m.Digits)); !(math.Abs(was.Value-is.Value) <= tolerance) {
			differ = append(differ, fmt.Sprintf("%s is %s", m.Name, m.Number(is.Value)))
		}
	}
	if len(differ) == 0 {
		return ""
	}
	return "This is not exactly the video that was scored: generated again, its " + strings.Join(differ, ", ") + "."
}

// filmNotes is what the page says about its films.
type filmNotes struct {
	Ranking string // the metric by which clips were chosen, "" if there is none
	Notes   []string
}

// notes are what there is to say of the films that the player has.
func (f *Films) notes(r *eval.Report, p *player) *filmNotes {
	n := &filmNotes{}
	if m, ok := ranking(r); ok {
		n.Ranking = m.Label()
	}
	if p.Made < p.all {
		n.Notes = append(n.Notes, fmt.Sprintf("Only the first %d of %d generated frames are shown.", p.Made, p.all))
	}
	if p.lossy {
		n.Notes = append(n.Notes, "Films are compressed as JPEG, so pixels are not exactly those that were scored.")
	}
	if f.NoNearest != "" {
		n.Notes = append(n.Notes, "The nearest training clips are missing: "+f.NoNearest)
	}
	if len(f.Nearest) > 0 {
		n.Notes = append(n.Notes, f.searchNote())
	}
	return n
}

// searchNote says how the nearest clips were found, and how near held-out clips are.
func (f *Films) searchNote() string {
	looked := fmt.Sprintf("all %d clips of the training split", f.Search.Looked)
	if f.Search.All == 0 {
		looked = fmt.Sprintf("%d clips of the training split, which has more", f.Search.Looked)
	}
	note := "The nearest training clip has the least root mean square of the differences of all values, in grey levels of 0 to 255, of " + looked + "."
	if held := f.Nearest[min(len(f.Videos), len(f.Nearest)):]; len(held) > 0 {
		var distances []float64
		for _, n := range held {
			distances = append(distances, n.RMS)
		}
		note += fmt.Sprintf(" To compare: %d held-out clips are %.1f to %.1f away from theirs.", len(held), slices.Min(distances), slices.Max(distances))
	}
	return note
}
