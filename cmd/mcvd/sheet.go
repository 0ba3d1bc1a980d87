package main

import (
	"context"
	"fmt"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/video"
	"mcvd/eval"
)

// What a contact sheet shows at most.
const (
	maxShown = 20 // made frames of a video
	maxFilms = 8
)

// sheetRows are the rows of films in a contact sheet: the real frames, where they are known, above the made ones.
func sheetRows(films []*film) (rows []video.Row, err error) {
	for _, f := range films {
		made, numbers, err := f.excerpt(false)
		if err != nil {
			return nil, err
		}
		if f.Real.Frames >= f.n {
			real, _, err := f.excerpt(true)
			if err != nil {
				return nil, err
			}
			rows = append(rows, realRow(real, f.Case, numbers))
		}
		rows = append(rows, madeRow(f.name, made, f.Case, numbers))
	}
	return rows, nil
}

// madeRow is the row of a video that was made of the case's given frames.
func madeRow(name string, clip clips.Clip, c eval.Case, numbers []int) video.Row {
	return video.Row{Label: name, Clip: clip, Marks: video.Marks(clip.Frames, c.Past.Frames, c.Future.Frames), Numbers: numbers}
}

// realRow is the row of the real video with the case's given frames.
func realRow(clip clips.Clip, c eval.Case, numbers []int) video.Row {
	row := madeRow("real", clip, c, numbers)
	for i, mark := range row.Marks {
		if mark == video.Generated {
			row.Marks[i] = video.Plain
		}
	}
	return row
}

// join puts clips of equal frames one behind the other.
func join(parts ...clips.Clip) clips.Clip {
	out := clips.Clip{}
	for _, c := range parts {
		if c.Frames > 0 {
			out.Height, out.Width, out.Channels = c.Height, c.Width, c.Channels
			out.Pix, out.Frames = append(out.Pix, c.Pix...), out.Frames+c.Frames
		}
	}
	return out
}

// sampleRows makes the model's block for a few clips of a data set.
func sampleRows(ctx context.Context, g *eval.Generator, task eval.Task, ds clips.Dataset, c *configs.Config, count int) ([]video.Row, error) {
	n := c.Frames.Current
	var cases []eval.Case
	for i := range count {
		frames := eval.ClipFrames(task, c.Frames, n)
		clip, err := data.Cut(ds, data.Fixed(ds, c.Seed, i, frames), frames)
		if err != nil {
			return nil, err
		}
		cs := eval.Cut(task, c.Frames, clip, n)
		cs.Clip = i
		cases = append(cases, cs)
	}
	made, err := g.Videos(ctx, eval.Job{Task: task, Frames: n, Advance: n}, cases, nil)
	if err != nil {
		return nil, err
	}
	var rows []video.Row
	for i, clip := range made {
		cs := cases[i]
		if task != eval.Generate {
			rows = append(rows, realRow(join(cs.Past, cs.Real, cs.Future), cs, nil))
		}
		rows = append(rows, madeRow(fmt.Sprintf("%v %d", task, i), join(cs.Past, clip, cs.Future), cs, nil))
	}
	return rows, nil
}
