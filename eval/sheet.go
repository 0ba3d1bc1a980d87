package eval

import (
	"context"
	"fmt"
	"slices"

	"mcvd/data/clips"
	"mcvd/data/video"
	"mcvd/train/ranks"
)

// The most that a contact sheet shows.
const (
	maxShown = 20 // generated frames of a video
	maxFilms = 8
)

// sheetRows are the rows of films in a contact sheet: the real frames, if they are known, above the
// generated ones.
func sheetRows(films []*film) (rows []video.Row, err error) {
	for _, f := range films {
		made, numbers, err := f.excerpt(false)
		if err != nil {
			return nil, err
		}
		if f.compared() {
			real, _, err := f.excerpt(true)
			if err != nil {
				return nil, err
			}
			rows = append(rows, realRow(real, f.Case, numbers))
		}
		row := madeRow(f.name, made, f.Case, numbers)
		for k, number := range numbers {
			if slices.Contains(f.given, number-f.Past.Frames) {
				row.Marks[k] = video.Given
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// madeRow is the row of a video that was generated from the case's given frames.
func madeRow(name string, clip clips.Clip, c Case, numbers []int) video.Row {
	return video.Row{Label: name, Clip: clip, Marks: video.Marks(clip.Frames, c.Past.Frames, c.Future.Frames), Numbers: numbers}
}

// realRow is the row of the real video with the case's given frames.
func realRow(clip clips.Clip, c Case, numbers []int) video.Row {
	row := madeRow("real", clip, c, numbers)
	for i, mark := range row.Marks {
		if mark == video.Generated {
			row.Marks[i] = video.Plain
		}
	}
	return row
}

// join puts clips with frames of the same size one after the other.
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

// Samples writes a block that the model makes for each of so many clips, task by task: predictions,
// and what else the model can do. The file sheet, a PNG with a title, gets a row of frames of each,
// the file film, a GIF, plays them beside each other. Ranks share the tasks. progress is called after each evaluation of the
// network for a batch.
func Samples(ctx context.Context, g *Generator, ds clips.Dataset, seed uint64, count int, sheet, film, title string, r *ranks.Ranks, progress func()) error {
	own := map[int][]video.Row{} // by the number of the task
	var err error
	for i, task := range shownTasks(g.wide) {
		if i%r.Size() != r.Number() {
			continue
		}
		if own[i], err = sampleRows(ctx, g, ds, seed, count, task, progress); err != nil {
			break
		}
	}
	all, err := ranks.All(r, own, err)
	if err != nil || !r.First() {
		return err
	}
	var rows []video.Row
	for i := range shownTasks(g.wide) {
		rows = append(rows, all[i%r.Size()][i]...)
	}
	if err := video.WriteSheet(sheet, title, rows...); err != nil {
		return err
	}
	return video.WriteFilms(film, 2*count, rows...) // each video beside its real one
}

// sampleRows are the rows of a task.
func sampleRows(ctx context.Context, g *Generator, ds clips.Dataset, seed uint64, count int, task Task, progress func()) (rows []video.Row, _ error) {
	n := g.wide.Current
	j := Job{Task: task, Frames: n, Advance: n}
	source, cases := FromDataset(ds, seed, j, g.wide), make([]Case, count)
	for i := range cases {
		var err error
		if cases[i], err = source(i); err != nil {
			return nil, err
		}
	}
	made, err := g.Videos(ctx, j, cases, progress)
	if err != nil {
		return nil, err
	}
	for i, c := range cases {
		if task != Generate {
			rows = append(rows, realRow(join(c.Past, c.Real, c.Future), c, nil))
		}
		clip, err := g.clip(made[i], clips.Byte)
		if err != nil {
			return nil, err
		}
		rows = append(rows, madeRow(fmt.Sprintf("%v %d", task, i), join(c.Past, clip, c.Future), c, nil))
	}
	return rows, nil
}
