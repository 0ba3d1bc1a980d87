package video

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"strconv"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
)

// Mark says where a frame of a sheet comes from. It is shown as the colour of the frame's border.
type Mark uint8

const (
	// Plain frames have a thin grey border: they are real, to compare with.
	Plain Mark = iota
	// Given frames have a blue border: the network saw them.
	Given
	// Generated frames have an orange border: the network generated them.
	Generated
	// Hidden frames have a black border: the network doesn't see them.
	Hidden
)

// Row is one line of a sheet.
type Row struct {
	// Label stands left of the frames.
	Label string
	Clip  clips.Clip
	// Marks has one mark a frame; nil is all Plain.
	Marks []Mark
	// Numbers has the number of each frame, increasing; nil is 0, 1, 2 and so on. Where numbers are
	// left out, the sheet shows a gap.
	Numbers []int
}

// Marks returns n marks: the first given and the last givenEnd frames are Given, those between
// Generated.
func Marks(n, given, givenEnd int) []Mark {
	marks := make([]Mark, n)
	for i := range marks {
		marks[i] = Generated
		if i < given || i >= n-givenEnd {
			marks[i] = Given
		}
	}
	return marks
}

// The colours of sheets, which people with impaired colour vision can tell apart (Okabe and Ito),
// and their sizes in pixels.
var (
	paper      = color.RGBA{255, 255, 255, 255}
	ink        = color.RGBA{40, 44, 52, 255}
	faint      = color.RGBA{130, 136, 146, 255}
	markColors = [...]color.RGBA{Plain: {205, 208, 214, 255}, Given: {0, 114, 178, 255}, Generated: {230, 126, 0, 255}, Hidden: {60, 64, 72, 255}}
	markNames  = [...]string{Plain: "real", Given: "given", Generated: "generated", Hidden: "hidden"}
)

const (
	cellMin    = 64 // frames are enlarged by a whole number until they have at least this many pixels in both directions
	border     = 3
	gap        = 4
	margin     = 14
	textSize   = 13
	lineHeight = 18
)

// Sheet draws clips as rows of frames. Each row has its label on the left, and each frame a border
// in the colour of its mark. Frame numbers stand on top; they are those of the longest row. Above
// them are the title, which may be "", and a legend of the marks that occur. All clips must have
// frames of the same size; small ones are enlarged.
func Sheet(title string, rows ...Row) (*image.RGBA, error) {
	if err := checkRows(rows); err != nil {
		return nil, err
	}
	face, err := newFace()
	if err != nil {
		return nil, err
	}
	defer face.Close()

	scale, labels := enlargement(rows), 0
	widest := rows[0]
	first := rows[0].Clip
	var used [len(markNames)]bool
	for _, row := range rows {
		if row.Clip.Frames > widest.Clip.Frames {
			widest = row
		}
		labels = max(labels, textWidth(face, row.Label))
		for i := range row.Clip.Frames {
			used[row.mark(i)] = true
		}
	}
	if labels > 0 {
		labels += 10
	}
	columns := widest.Clip.Frames
	cellW, cellH := first.Width*scale+2*border+gap, first.Height*scale+2*border+gap
	legend := marksLegend(used)
	head := legendWidth(face, title, legend)
	left, top := margin+labels, margin+2*lineHeight+8
	img := image.NewRGBA(image.Rect(0, 0, max(left+columns*cellW-gap, margin+head)+margin, top+len(rows)*cellH-gap+margin))
	fill(img, img.Rect, paper)
	drawLegend(img, face, title, legend)
	for i := range columns {
		number := strconv.Itoa(widest.number(i))
		x := left + i*cellW + (cellW-gap-textWidth(face, number))/2
		drawText(img, face, number, x, top-6, faint)
		if i > 0 && widest.number(i) > widest.number(i-1)+1 {
			drawText(img, face, "…", left+i*cellW-(gap+textWidth(face, "…"))/2, top-6, ink)
		}
	}
	for r, row := range rows {
		y := top + r*cellH
		drawText(img, face, row.Label, margin, y+(cellH-gap)/2+textSize/2-2, ink)
		for i := range row.Clip.Frames {
			cell := image.Rect(0, 0, cellW-gap, cellH-gap).Add(image.Pt(left+i*cellW, y))
			drawCell(img, cell, row, i)
		}
	}
	return img, nil
}

// WriteSheet writes a [Sheet] as a PNG.
func WriteSheet(path, title string, rows ...Row) error {
	img, err := Sheet(title, rows...)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, func(tmp *os.File) error { return png.Encode(tmp, img) })
}

func (r Row) mark(i int) Mark {
	if r.Marks == nil {
		return Plain
	}
	return r.Marks[i]
}

func (r Row) number(i int) int {
	if r.Numbers == nil {
		return i
	}
	return r.Numbers[i]
}

// enlargement is how many times as wide and high frames are drawn as they are.
func enlargement(rows []Row) int {
	if short := min(rows[0].Clip.Width, rows[0].Clip.Height); short < cellMin {
		return (cellMin + short - 1) / short
	}
	return 1
}

func checkRows(rows []Row) error {
	if len(rows) == 0 {
		return errors.New("sheet: no rows")
	}
	first := rows[0].Clip
	for i, row := range rows {
		c := row.Clip
		switch {
		case c.Frames < 1 || c.Height < 1 || c.Width < 1 || len(c.Pix) != c.Frames*c.FrameSize():
			return fmt.Errorf("sheet: row %d (%s): %d bytes for %d frames of %dx%dx%d",
				i, row.Label, len(c.Pix), c.Frames, c.Height, c.Width, c.Channels)
		case c.Channels != 1 && c.Channels != 3:
			return fmt.Errorf("sheet: row %d (%s): %d channels, want 1 or 3", i, row.Label, c.Channels)
		case c.Height != first.Height || c.Width != first.Width:
			return fmt.Errorf("sheet: row %d (%s): frames of %dx%d, want %dx%d as in the first row",
				i, row.Label, c.Width, c.Height, first.Width, first.Height)
		case row.Marks != nil && len(row.Marks) != c.Frames:
			return fmt.Errorf("sheet: row %d (%s): %d marks for %d frames", i, row.Label, len(row.Marks), c.Frames)
		case row.Numbers != nil && len(row.Numbers) != c.Frames:
			return fmt.Errorf("sheet: row %d (%s): %d numbers for %d frames", i, row.Label, len(row.Numbers), c.Frames)
		}
	}
	return nil
}

// drawCell draws frame i and its border. Real frames get a hairline where the border would be
// thick.
func drawCell(img *image.RGBA, cell image.Rectangle, row Row, i int) {
	mark := row.mark(i)
	if mark == Plain {
		fill(img, cell.Inset(border-1), markColors[mark])
	} else {
		fill(img, cell, markColors[mark])
	}
	draw.NearestNeighbor.Scale(img, cell.Inset(border), frameImage(row.Clip, i), image.Rect(0, 0, row.Clip.Width, row.Clip.Height),
		draw.Src, nil)
}

// image is frame i.
func frameImage(c clips.Clip, i int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, c.Width, c.Height))
	rgb := make([]uint8, 3*c.Width*c.Height)
	enlarge(rgb, c.Slice(i, i+1).Pix, c.Width, c.Channels, 1)
	opaque(img, rgb)
	return img
}

// opaque copies RGB pixels into an image of the same size.
func opaque(img *image.RGBA, rgb []uint8) {
	for i := range len(rgb) / 3 {
		copy(img.Pix[4*i:], rgb[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
}

func newFace() (font.Face, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(parsed, &opentype.FaceOptions{Size: textSize, DPI: 72, Hinting: font.HintingFull})
}

func textWidth(face font.Face, text string) int { return font.MeasureString(face, text).Ceil() }

func drawText(img *image.RGBA, face font.Face, text string, x, baseline int, c color.Color) {
	(&font.Drawer{Dst: img, Src: image.NewUniform(c), Face: face, Dot: fixed.P(x, baseline)}).DrawString(text)
}

func fill(img *image.RGBA, r image.Rectangle, c color.Color) {
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

const swatch, swatchGap, itemGap = 11, 6, 18

// legendItem is a colour and what it means.
type legendItem struct {
	name  string
	color color.RGBA
}

// marksLegend is the marks that are used.
func marksLegend(used [len(markNames)]bool) (items []legendItem) {
	for mark, name := range markNames {
		if used[mark] {
			items = append(items, legendItem{name, markColors[mark]})
		}
	}
	return items
}

// legendWidth is the width of what [drawLegend] draws.
func legendWidth(face font.Face, title string, items []legendItem) int {
	return drawLegend(image.NewRGBA(image.Rectangle{}), face, title, items) - margin
}

// drawLegend draws the top line and returns where it ends.
func drawLegend(img *image.RGBA, face font.Face, title string, items []legendItem) int {
	x, baseline := margin, margin+textSize-1
	if title != "" {
		drawText(img, face, title, x, baseline, ink)
		x += textWidth(face, title) + itemGap
	}
	for _, item := range items {
		fill(img, image.Rect(x, baseline-swatch+1, x+swatch, baseline+1), item.color)
		x += swatch + swatchGap
		drawText(img, face, item.name, x, baseline, faint)
		x += textWidth(face, item.name) + itemGap
	}
	return x - itemGap
}
