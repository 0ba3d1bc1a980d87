package eval

import (
	"fmt"
	"iter"
	"strings"

	"mcvd/configs"
	"mcvd/data/video"
)

// Draw makes a picture of a job's windows: a row for each window, in their order, and a column for
// each frame of the video, with those that are given before and after it. Blank frames, which a task
// without given ones may give to windows, are not drawn.
func Draw(windows iter.Seq[Window], j Job, model configs.Frames) video.Grid {
	t := newThere(j, model)
	grid := video.Grid{First: -t.past, Title: fmt.Sprintf("%s, %v %d frames", j.windows(), j.Task, j.Frames)}
	for w := range windows {
		row := make([]video.Cell, t.past+t.n+t.future)
		for k := range row {
			if t.has(k - t.past) {
				row[k] = video.There
			}
		}
		for _, i := range w.Given {
			if i != None && t.has(i) {
				row[t.past+i] = video.Seen
			}
		}
		for _, i := range t.add(w).Make {
			if i != None {
				row[t.past+i] = video.Made
			}
		}
		for _, i := range w.noisy(j.Frames) {
			row[t.past+i] = video.Noisy
		}
		grid.Rows = append(grid.Rows, row)
	}
	return grid
}

// cellLetters are the cells of a drawing in text.
var cellLetters = [...]byte{video.Missing: '.', video.There: '-', video.Seen: 'o', video.Made: '#', video.Noisy: '~'}

// DrawingText is a drawing in letters. Every tenth frame is numbered on top, and every row at its
// left.
func DrawingText(g video.Grid) string {
	const every = 10
	left := len(fmt.Sprint(len(g.Rows)))
	numbers := []byte(strings.Repeat(" ", len(g.Rows[0])+len(fmt.Sprint(g.First+len(g.Rows[0])))))
	for k := range g.Rows[0] {
		if number := g.First + k; number%every == 0 {
			copy(numbers[k:], fmt.Sprint(number))
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%*s  %s\n", left, "", strings.TrimRight(string(numbers), " "))
	for r, row := range g.Rows {
		fmt.Fprintf(&text, "%*d  ", left, r+1)
		for _, c := range row {
			text.WriteByte(cellLetters[c])
		}
		text.WriteByte('\n')
	}
	noisy := ""
	if g.Has(video.Noisy) {
		noisy = "~ still noisy, "
	}
	return text.String() + "o given, # generated, " + noisy + "- there but not given, . not there yet\n"
}
