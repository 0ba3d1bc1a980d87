package video

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
	"strconv"

	"mcvd/configs/atomicfile"
)

// Cell says what a step of a process has to do with a frame. It is a colour in a [Grid].
type Cell uint8

const (
	// Missing frames are not there yet.
	Missing Cell = iota
	// There frames are there, but the step doesn't see them.
	There
	// Seen frames are given to the step.
	Seen
	// Made frames are what the step makes.
	Made
	// Noisy frames are what the step works on, but does not complete.
	Noisy
)

var (
	cellColors = [...]color.RGBA{Missing: {244, 245, 247, 255}, There: {190, 195, 203, 255}, Seen: markColors[Given], Made: markColors[Generated], Noisy: {247, 205, 160, 255}}
	cellNames  = [...]string{Missing: "not there yet", There: "there, not given", Seen: "given", Made: "generated", Noisy: "still noisy"}
)

// Grid is steps and frames: a row for each step, a column for each frame.
type Grid struct {
	Title string
	First int // the number of the first column's frame
	Rows  [][]Cell
}

// Sizes of cells in pixels.
const (
	cellMost, cellLeast = 16, 3
	gridWidth           = 1600 // of all cells, if they aren't too small
)

// Has says whether the grid has such a cell.
func (g Grid) Has(c Cell) bool {
	return slices.ContainsFunc(g.Rows, func(row []Cell) bool { return slices.Contains(row, c) })
}

// Draw draws the grid, with numbers of frames on top and of rows at the left, where there is room.
// It fails if rows have different lengths, or there are none.
func (g Grid) Draw() (*image.RGBA, error) {
	if len(g.Rows) == 0 || len(g.Rows[0]) == 0 {
		return nil, errors.New("grid: no cells")
	}
	face, err := newFace()
	if err != nil {
		return nil, err
	}
	defer face.Close()
	columns := len(g.Rows[0])
	cell := max(cellLeast, min(cellMost, gridWidth/columns))
	var items []legendItem
	for c, name := range cellNames {
		if Cell(c) == Noisy && !g.Has(Noisy) {
			continue
		}
		items = append(items, legendItem{name, cellColors[c]})
	}
	left, top := margin+textWidth(face, strconv.Itoa(len(g.Rows)))+8, margin+2*lineHeight+8
	head := legendWidth(face, g.Title, items)
	img := image.NewRGBA(image.Rect(0, 0, max(left+columns*cell, margin+head)+margin, top+len(g.Rows)*cell+margin))
	fill(img, img.Rect, paper)
	drawLegend(img, face, g.Title, items)
	every := 10 // frames have a number
	if cell < 5 {
		every = 50
	}
	for x := range columns {
		if number := g.First + x; number%every == 0 {
			drawText(img, face, strconv.Itoa(number), left+x*cell, top-6, faint)
		}
	}
	for y, row := range g.Rows {
		if len(row) != columns {
			return nil, fmt.Errorf("grid: row %d has %d cells, want %d as the first", y+1, len(row), columns)
		}
		if y%max(1, (lineHeight+cell-1)/cell) == 0 {
			drawText(img, face, strconv.Itoa(y+1), margin, top+y*cell+(cell+textSize)/2-2, faint)
		}
		for x, c := range row {
			fill(img, image.Rect(0, 0, cell-1, cell-1).Add(image.Pt(left+x*cell, top+y*cell)), cellColors[c])
		}
	}
	return img, nil
}

// Write writes the picture as a PNG.
func (g Grid) Write(path string) error {
	img, err := g.Draw()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, func(tmp *os.File) error { return png.Encode(tmp, img) })
}
