package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"math"
	"slices"
	"strings"

	"mcvd/configs/webpage"
	"mcvd/data/clips"
	"mcvd/data/video"
	"mcvd/eval"
	"mcvd/eval/metric"
)

// Films are videos of the model that were generated again for the page.
type Films struct {
	// Videos are those that [Choose] names, in its order.
	Videos []eval.Repeated
	// Nearest has, for the task generate, the training clip nearest to each of the videos, and then
	// those nearest to as many held-out clips, to compare with. It is empty if there are none, and
	// NoNearest says why.
	Nearest   []eval.Neighbour
	Search    eval.Search
	NoNearest string
}

// player is what the page's script plays.
type player struct {
	// Past, Made and Future are how many frames each film has of each kind.
	Past   int      `json:"past"`
	Made   int      `json:"made"`
	Future int      `json:"future"`
	FPS    float64  `json:"fps"` // 0 if it is not known
	Width  int      `json:"width"`
	Height int      `json:"height"`
	Clips  []filmed `json:"clips"`
}

// filmed is a clip with its films, the real one first if there is one.
type filmed struct {
	Title string `json:"title"`
	From  string `json:"from"` // where the clip comes from, "" for one out of nothing
	Films []film `json:"films"`
}

// film is a video as a picture: its frames beside each other.
type film struct {
	Label   string           `json:"label"`
	Real    bool             `json:"real,omitempty"` // no frame of it was generated
	Lines   []string         `json:"lines,omitempty"`
	Problem string           `json:"problem,omitempty"`
	Scores  []webpage.Number `json:"scores,omitempty"` // of the generated frames, in the metric of the ranking
	Source  string           `json:"source"`           // a data URI
}

// maxWidth is the widest picture that all browsers draw.
const maxWidth = 16384

func (f *Films) player(r *eval.Report) (*player, error) {
	if want := len(Choose(r)); len(f.Videos) != want || want == 0 {
		return nil, fmt.Errorf("%d videos, want the %d that are chosen of the report, one or more", len(f.Videos), want)
	}
	first := f.Videos[0]
	p := &player{Past: first.Case.Past.Frames, Made: first.Made.Frames, Future: first.Case.Future.Frames, FPS: first.Case.FPS, Width: first.Made.Width, Height: first.Made.Height}
	if most := maxWidth / p.Width; p.Past+p.Made+p.Future > most {
		p.Future = 0
		p.Made = max(1, most-p.Past)
	}
	at := 0
	for _, c := range choose(r) {
		shown, err := f.clip(p, r, c, at)
		if err != nil {
			return nil, err
		}
		p.Clips, at = append(p.Clips, shown), at+len(c.records)
	}
	return p, nil
}

// clip is a clip's films. at is the index of the first of its videos.
func (f *Films) clip(p *player, r *eval.Report, c chosen, at int) (filmed, error) {
	videos, shown := f.Videos[at:at+len(c.records)], filmed{Title: c.title}
	m, paired := ranking(r)
	if paired {
		real := videos[0].Case
		source, err := p.source(real, real.Real)
		if err != nil {
			return shown, err
		}
		shown.From = fmt.Sprintf("clip %d: %s, from frame %d", real.Clip, real.Video, real.Start)
		shown.Films = append(shown.Films, film{Label: "real", Real: true, Source: source})
	}
	for i, v := range videos {
		source, err := p.source(v.Case, v.Made)
		if err != nil {
			return shown, err
		}
		one := film{Label: "generated", Source: source, Lines: scoreLines(r, v.Record), Problem: changed(r, v)}
		if paired {
			for _, x := range v.Record.Scores[m.Name].Frames {
				one.Scores = append(one.Scores, webpage.Number(x))
			}
		}
		if len(videos) > 1 {
			one.Label = []string{"best", "worst"}[min(i, 1)] + " trajectory"
			one.Lines = append(one.Lines, numberOf(r, v.Record))
		}
		shown.Films = append(shown.Films, one)
		if !paired && at+i < len(f.Nearest) {
			n, err := f.neighbour(p, f.Nearest[at+i])
			if err != nil {
				return shown, err
			}
			shown.Films = append(shown.Films, n)
		}
	}
	return shown, nil
}

// numberOf says which of a clip's videos a record is of.
func numberOf(r *eval.Report, record eval.Record) string {
	text := fmt.Sprintf("number %d of %d", record.Trajectory+1, r.Protocol.Trajectories)
	if len(r.Protocol.Seeds) > 1 {
		text += fmt.Sprintf(", seed %d", record.Seed)
	}
	return text
}

func (f *Films) neighbour(p *player, n eval.Neighbour) (film, error) {
	source, err := p.source(eval.Case{}, n.Clip)
	mirrored := ""
	if n.Mirrored {
		mirrored = ", mirrored"
	}
	return film{Label: "nearest training clip", Real: true, Source: source,
		Lines: []string{fmt.Sprintf("%.1f grey levels away", n.RMS), fmt.Sprintf("%s, from frame %d%s", n.Video, n.Start, mirrored)}}, err
}

// source is a film as a picture.
func (p *player) source(c eval.Case, middle clips.Clip) (string, error) {
	whole := clips.Clip{Height: p.Height, Width: p.Width, Channels: middle.Channels}
	for _, part := range []clips.Clip{c.Past, middle.Slice(0, min(p.Made, middle.Frames)), c.Future.Slice(0, min(p.Future, c.Future.Frames))} {
		whole.Pix, whole.Frames = append(whole.Pix, part.Pix...), whole.Frames+part.Frames
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, video.Strip(whole)); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

// scoreText is a score with its metric and its unit.
func scoreText(m metric.Info, x float64) string {
	return strings.TrimSpace(m.Name + " " + number(m, x) + " " + m.Unit)
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
			differ = append(differ, fmt.Sprintf("%s is %s", m.Name, number(m, is.Value)))
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
	Cut     int    // generated frames that are shown, if not all
	Notes   []string
}

func (f *Films) notes(r *eval.Report) *filmNotes {
	n := &filmNotes{}
	if m, ok := ranking(r); ok {
		n.Ranking = label(m)
	}
	if len(f.Videos) > 0 {
		v := f.Videos[0]
		if most := maxWidth / v.Made.Width; v.Case.Past.Frames+v.Made.Frames+v.Case.Future.Frames > most {
			n.Cut = max(1, most-v.Case.Past.Frames)
		}
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
