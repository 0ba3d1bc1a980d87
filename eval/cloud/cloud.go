// Package cloud draws points in the plane: how they become noise, and how they come back.
package cloud

import (
	"fmt"
	"image/color"
	"math"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"mcvd/configs/atomicfile"
	"mcvd/eval"
)

// Sizes of the picture, in points of 1/72 inch.
const (
	side   = 150 // of a panel
	gap    = 8
	radius = 0.7
)

// Colours of the columns, which people with impaired colour vision can tell apart (Okabe and Ito).
var (
	forward = color.NRGBA{0, 114, 178, 150}
	reverse = color.NRGBA{230, 126, 0, 150}
)

// Write draws moments as a PNG with a row for each, the least noise at the top: on the left data
// with noise added, on the right what is generated. Each block of a moment must have two values, x
// and y.
func Write(path string, moments []eval.Moment) error {
	picture := vgimg.NewWith(vgimg.UseWH(vg.Length(2*side+3*gap), vg.Length(len(moments)*(side+gap)+gap)), vgimg.UseDPI(96))
	page := draw.New(picture)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	for i := range moments {
		m := moments[len(moments)-1-i]
		for column, of := range []struct {
			points []eval.Frames
			color  color.Color
			title  string
		}{{m.Forward, forward, "data and noise"}, {m.Reverse, reverse, "generated"}} {
			left, top := vg.Length(gap+column*(side+gap)), page.Max.Y-vg.Length(gap+i*(side+gap))
			cell := draw.Canvas{Canvas: page.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: left, Y: top - side}, Max: vg.Point{X: left + side, Y: top}}}
			title := fmt.Sprintf("%s, signal %.2f, noise %.2f", of.title, m.Level.Signal, m.Level.Noise)
			if err := panel(cell, of.points, of.color, title, m.Level.Signal+3*m.Level.Noise); err != nil {
				return err
			}
		}
	}
	return atomicfile.Write(path, func(tmp *os.File) error {
		_, err := vgimg.PngCanvas{Canvas: picture}.WriteTo(tmp)
		return err
	})
}

// panel draws points in a square that reaches that far in each direction. Points beyond it, a few in
// a thousand, are left out.
func panel(cell draw.Canvas, points []eval.Frames, c color.Color, title string, reach float64) error {
	p := plot.New()
	p.Title.Text, p.Title.TextStyle.Font = title, font.From(plot.DefaultFont, 7)
	p.HideAxes()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -reach, reach, -reach, reach
	var at plotter.XYs
	for i, xy := range points {
		if len(xy) != 2 {
			return fmt.Errorf("block %d has %d values, want 2: x and y", i, len(xy))
		}
		if x, y := float64(xy[0]), float64(xy[1]); math.Abs(x) <= reach && math.Abs(y) <= reach {
			at = append(at, plotter.XY{X: x, Y: y})
		}
	}
	dots, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: c, Radius: radius, Shape: draw.CircleGlyph{}}
	p.Add(dots)
	p.Draw(cell)
	return nil
}
