package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/jpeg"
	"image/png"

	"mcvd/configs/webpage"
	"mcvd/data/clips"
	"mcvd/data/video"
	"mcvd/eval"
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

	all   int  // generated frames of each video, of which Made are shown
	lossy bool // whether a film had to be compressed as JPEG
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

// player are the films, clip by clip.
func (f *Films) player(r *eval.Report) (*player, error) {
	if want := len(Choose(r)); len(f.Videos) != want || want == 0 {
		return nil, fmt.Errorf("%d videos, want the %d that are chosen of the report, one or more", len(f.Videos), want)
	}
	first := f.Videos[0]
	p := &player{Past: first.Case.Past.Frames, Made: first.Made.Frames, Future: first.Case.Future.Frames, FPS: first.Case.FPS,
		Width: first.Made.Width, Height: first.Made.Height, all: first.Made.Frames}
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

// neighbour is the film of a training clip.
func (f *Films) neighbour(p *player, n eval.Neighbour) (film, error) {
	source, err := p.source(eval.Case{}, n.Clip)
	mirrored := ""
	if n.Mirrored {
		mirrored = ", mirrored"
	}
	return film{Label: "nearest training clip", Real: true, Source: source,
		Lines: []string{fmt.Sprintf("%.1f grey levels away", n.RMS), fmt.Sprintf("%s, from frame %d%s", n.Video, n.Start, mirrored)}}, err
}

// maxPNG is how many bytes a film may have that is shown bit for bit. Larger ones, of large frames in
// colour, would make pages that no browser likes to open.
const maxPNG = 1 << 19

// source is a film as a picture: a PNG or, if that is too large, a JPEG.
func (p *player) source(c eval.Case, middle clips.Clip) (string, error) {
	whole := clips.Clip{Height: p.Height, Width: p.Width, Channels: middle.Channels}
	for _, part := range []clips.Clip{c.Past, middle.Slice(0, min(p.Made, middle.Frames)), c.Future.Slice(0, min(p.Future, c.Future.Frames))} {
		whole.Pix, whole.Frames = append(whole.Pix, part.Pix...), whole.Frames+part.Frames
	}
	var out bytes.Buffer
	kind, strip := "png", video.Strip(whole)
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, strip)
	if err == nil && out.Len() > maxPNG {
		kind, p.lossy = "jpeg", true
		out.Reset()
		err = jpeg.Encode(&out, strip, &jpeg.Options{Quality: 90})
	}
	return "data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(out.Bytes()), err
}
