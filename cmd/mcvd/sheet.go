package main

import (
	"context"
	"fmt"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/video"
	"mcvd/eval"
)

// What a contact sheet shows at most.
const (
	maxShown = 20 // made frames of a video
	maxFilms = 8
)

// writeSheet writes a contact sheet of the first films: the real frames, where they are known, above the made ones.
func writeSheet(path string, task eval.Task, films []*film) error {
	var rows []video.Row
	for _, f := range films[:min(len(films), maxFilms)] {
		made, err := f.clip()
		if err != nil {
			return err
		}
		real := video.Clip{}
		if n := min(f.n, maxShown); f.Real.Frames >= n {
			real = f.Real.Slice(0, n)
		}
		rows = append(rows, pair(f.name, eval.Case{Past: f.Past, Real: real, Future: f.Future}, made)...)
	}
	return video.WriteSheet(path, task.String(), rows...)
}

// pair is the rows of one video: the real one, if its frames are known, and the one made of the same given frames.
func pair(name string, c eval.Case, made video.Clip) []video.Row {
	rows := []video.Row{{Label: name, Clip: made, Marks: video.Marks(made.Frames, c.Past.Frames, c.Future.Frames)}}
	if c.Real.Frames == 0 {
		return rows
	}
	real := join(c.Past, c.Real, c.Future)
	marks := make([]video.Mark, real.Frames)
	copy(marks, video.Marks(c.Past.Frames, c.Past.Frames, 0))
	for i := range c.Future.Frames {
		marks[real.Frames-1-i] = video.Given
	}
	return append([]video.Row{{Label: "real", Clip: real, Marks: marks}}, rows...)
}

// join puts clips of equal frames one behind the other.
func join(clips ...video.Clip) video.Clip {
	out := video.Clip{}
	for _, c := range clips {
		if c.Frames > 0 {
			out.Height, out.Width, out.Channels = c.Height, c.Width, c.Channels
			out.Pix, out.Frames = append(out.Pix, c.Pix...), out.Frames+c.Frames
		}
	}
	return out
}

// sampleRows makes the model's block for a few clips of a data set.
func sampleRows(ctx context.Context, g *eval.Generator, task eval.Task, ds video.Dataset, c *configs.Config, clips int) ([]video.Row, error) {
	n := c.Frames.Current
	var cases []eval.Case
	var requests []eval.Request
	for i := range clips {
		clip, err := data.Fixed(ds, c.Seed, i, g.ClipFrames(task, n))
		if err != nil {
			return nil, err
		}
		cut := g.Cut(task, clip, n)
		cases, requests = append(cases, cut), append(requests, cut.Request(uint64(i), 0))
	}
	made, err := g.Videos(ctx, task, requests, n, n, nil)
	if err != nil {
		return nil, err
	}
	var rows []video.Row
	for i, clip := range made {
		cs := cases[i]
		if task == eval.Generate {
			cs.Real = video.Clip{}
		}
		rows = append(rows, pair(fmt.Sprintf("%v %d", task, i), cs, join(cs.Past, clip, cs.Future))...)
	}
	return rows, nil
}
