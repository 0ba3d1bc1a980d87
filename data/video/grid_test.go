package video

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// Each cell has the colour of what it says, in its place.
func TestGridColoursCells(t *testing.T) {
	g := Grid{Title: "steps", First: -2, Rows: [][]Cell{{Seen, Seen, Made, Missing}, {There, Seen, Seen, Made}}}
	path := filepath.Join(t.TempDir(), "grid.png")
	if err := g.Write(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	// The cells stand at the lower edge, in order from the left.
	at := func(row, column int) color.Color {
		face, err := newFace()
		if err != nil {
			t.Fatal(err)
		}
		left, bottom := margin+textWidth(face, "2")+8, img.Bounds().Dy()-margin
		return img.At(left+column*cellMost+cellMost/2, bottom-(len(g.Rows)-row)*cellMost+cellMost/2)
	}
	for r, row := range g.Rows {
		for c, cell := range row {
			if got := color.RGBAModel.Convert(at(r, c)); got != cellColors[cell] {
				t.Errorf("row %d, column %d is %v, want %v of %q", r, c, got, cellColors[cell], cellNames[cell])
			}
		}
	}
}

// Wide grids stay small enough to be looked at.
func TestGridShrinks(t *testing.T) {
	small, err := Grid{Rows: [][]Cell{make([]Cell, 1000)}}.Draw()
	if err != nil {
		t.Fatal(err)
	}
	if want := 1000*cellLeast + 100; small.Bounds().Dx() > want || small.Bounds().In(image.Rect(0, 0, 1000, 10)) {
		t.Errorf("a grid of 1000 columns is %v, want at most %d wide", small.Bounds(), want)
	}
}

func TestGridsThatCanNotBeDrawn(t *testing.T) {
	for want, g := range map[string]Grid{
		"grid: no cells": {},
		"grid: row 2 has 1 cells, want 2 as the first": {Rows: [][]Cell{{Made, Made}, {Made}}},
	} {
		if _, err := g.Draw(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
