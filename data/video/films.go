package video

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"os"

	"mcvd/configs/atomicfile"
)

// Times in hundredths of a second: of a frame, and of the last one, so that an eye finds the end.
const (
	frameTime = 15
	lastTime  = 75
)

// WriteFilms writes rows as videos that play beside each other, in so many columns, into an
// animated GIF that repeats forever. Each has its label above it, and a border in the colour of the
// mark of the frame that it shows. A video that is shorter than others keeps its last frame. All
// clips must have frames of one size; small ones are enlarged. It needs no ffmpeg. Grey frames are
// exact but for one level, colours are dithered.
func WriteFilms(path string, columns int, rows ...Row) error {
	film, err := films(columns, rows)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, func(tmp *os.File) error { return gif.EncodeAll(tmp, film) })
}

func films(columns int, rows []Row) (*gif.GIF, error) {
	if err := checkRows(rows); err != nil {
		return nil, err
	}
	if columns < 1 {
		return nil, errors.New("films: no columns")
	}
	face, err := newFace()
	if err != nil {
		return nil, err
	}
	defer face.Close()

	columns = min(columns, len(rows))
	scale, frames, grey := enlargement(rows), 0, true
	cellW, cellH := rows[0].Clip.Width*scale+2*border, rows[0].Clip.Height*scale+2*border
	columnW := cellW + gap
	for _, row := range rows {
		columnW = max(columnW, textWidth(face, row.Label)+2*gap)
		frames, grey = max(frames, row.Clip.Frames), grey && row.Clip.Channels == 1
	}
	lines := (len(rows) + columns - 1) / columns
	page := image.NewRGBA(image.Rect(0, 0, columns*columnW+2*margin-gap, lines*(lineHeight+cellH+gap)+2*margin-gap))
	fill(page, page.Rect, paper)
	at := func(i int) image.Point {
		return image.Pt(margin+i%columns*columnW, margin+i/columns*(lineHeight+cellH+gap))
	}
	for i, row := range rows {
		drawText(page, face, row.Label, at(i).X, at(i).Y+textSize, ink)
	}
	colours := newPalette(grey)
	film := &gif.GIF{}
	for f := range frames {
		for i, row := range rows {
			cell := image.Rect(0, 0, cellW, cellH).Add(at(i)).Add(image.Pt(0, lineHeight))
			fill(page, cell, paper)
			drawCell(page, cell, row, min(f, row.Clip.Frames-1))
		}
		film.Image = append(film.Image, colours.apply(page))
		film.Delay = append(film.Delay, frameTime)
	}
	film.Delay[frames-1] = lastTime
	return film, nil
}

// palette is the 255 colours of a GIF: those of the marks, exactly, and grey levels or a cube of
// colours.
type palette struct {
	colors color.Palette
	grey   bool
}

const (
	greys            = 252
	reds, greens, bl = 6, 7, 6 // levels of the cube
)

func newPalette(grey bool) palette {
	var p color.Palette
	level := func(i, of int) uint8 { return uint8((255*i + (of-1)/2) / (of - 1)) }
	if grey {
		for i := range greys {
			v := level(i, greys)
			p = append(p, color.RGBA{v, v, v, 255})
		}
	} else {
		for i := range reds * greens * bl {
			p = append(p, color.RGBA{level(i/(greens*bl), reds), level(i/bl%greens, greens), level(i%bl, bl), 255})
		}
	}
	for _, c := range markColors {
		p = append(p, c)
	}
	return palette{p, grey}
}

// bayer are the thresholds of an ordered dither. It depends on nothing but the place, so that
// still parts of a video stay still.
var bayer = [4][4]int{{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}}

// apply makes an image of the palette's colours.
func (p palette) apply(img *image.RGBA) *image.Paletted {
	out := image.NewPaletted(img.Rect, p.colors)
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			c := img.Pix[img.PixOffset(x, y):]
			out.Pix[out.PixOffset(x, y)] = p.index(color.RGBA{c[0], c[1], c[2], 255}, bayer[y%4][x%4])
		}
	}
	return out
}

func (p palette) index(c color.RGBA, threshold int) uint8 {
	for i, mark := range markColors {
		if c == mark {
			return uint8(greys + i)
		}
	}
	if p.grey {
		v := (299*int(c.R) + 587*int(c.G) + 114*int(c.B) + 500) / 1000
		return uint8((v*(greys-1) + 127) / 255)
	}
	// Colours of the cube stay, whatever the threshold.
	level := func(v uint8, of int) int { return (int(v)*(of-1)*16 + threshold*255) / (16 * 255) }
	return uint8((level(c.R, reds)*greens+level(c.G, greens))*bl + level(c.B, bl))
}
