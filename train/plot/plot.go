// Package plot draws the curves of runs into a picture: PNG, SVG or PDF.
package plot

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/train/runs"
)

// formats make canvases of a size, by the extension of a file.
var formats = map[string]func(w, h vg.Length) vg.CanvasWriterTo{
	".png": func(w, h vg.Length) vg.CanvasWriterTo {
		return vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(144))}
	},
	".svg": func(w, h vg.Length) vg.CanvasWriterTo { return vgsvg.New(w, h) },
	".pdf": func(w, h vg.Length) vg.CanvasWriterTo { return vgpdf.New(w, h) },
}

// Formats lists the extensions that [Write] knows.
func Formats() []string { return configs.Names(formats) }

// panels are the quantities that are drawn, by name, if a run has them; scores are, too.
var panels = []string{"train/loss", "validation/loss", "validation/x0", "train/gradient_norm", "train/learning_rate", "speed/clips"}

// colors are those of the runs: people with impaired colour vision can tell them apart (Okabe and
// Ito). Where there are more runs, the next ones are dashed.
var colors = []color.NRGBA{{0, 114, 178, 255}, {230, 126, 0, 255}, {0, 158, 115, 255}, {204, 60, 120, 255}, {86, 180, 233, 255}, {120, 80, 40, 255}}

var dashes = [][]vg.Length{nil, {5, 2}, {1.5, 1.5}, {7, 2, 1.5, 2}}

// Sizes of the picture, in points of 1/72 inch.
const (
	panelWidth, panelHeight = 380, 230
	margin, gap             = 12, 18
	lineHeight              = 16
)

// Write draws the curves of the runs, each in its colour in every panel, into a file whose
// extension is one of [Formats]. Smooth, in [0, 1), is the weight of [runs.Smooth] for noisy
// quantities; where it isn't 0, their values themselves are drawn faintly. Values that are not
// finite are gaps; so are those that are not above 0 where the axis is logarithmic. An axis reaches
// to 1e30. Runs without any line in their logs, or with nothing but NaN there, are an error.
func Write(path string, all []*runs.Run, smooth float64) error {
	canvas, ok := formats[strings.ToLower(filepath.Ext(path))]
	if !ok {
		return fmt.Errorf("%s: can't draw %q, want %s", path, filepath.Ext(path), strings.Join(Formats(), ", "))
	}
	var drawn []*plot.Plot
	for _, q := range runs.Quantities(all...) {
		if !slices.Contains(panels, q.Name) && !q.Score() {
			continue
		}
		if p := panel(q, all, smooth); p != nil {
			drawn = append(drawn, p)
		}
	}
	if len(drawn) == 0 {
		return nothing(all)
	}
	picture := arrange(drawn, all, canvas)
	return atomicfile.Write(path, func(tmp *os.File) error {
		_, err := picture.WriteTo(tmp)
		return err
	})
}

// nothing is the error of runs without anything to draw.
func nothing(all []*runs.Run) error {
	for _, r := range all {
		if r.Step > 0 {
			return fmt.Errorf("nothing to draw: every number in the logs is NaN, up to step %d of %s; the loss was not finite from the start: try a lower optimizer.learning_rate", r.Step, printable(r.Name))
		}
	}
	return errors.New("nothing to draw: no run has a line in its log")
}

// arrange draws panels in two columns below the legend.
func arrange(drawn []*plot.Plot, all []*runs.Run, canvas func(w, h vg.Length) vg.CanvasWriterTo) io.WriterTo {
	columns := min(2, len(drawn))
	rows := (len(drawn) + columns - 1) / columns
	head := vg.Length(len(all)*lineHeight + margin)
	width := vg.Length(columns*panelWidth + 2*margin)
	picture := canvas(width, vg.Length(rows*panelHeight+2*margin)+head)
	page := draw.New(picture)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	legend(draw.Crop(page, margin, -margin, 0, -margin), all)

	grid := make([][]*plot.Plot, rows)
	for i := range grid {
		grid[i] = make([]*plot.Plot, columns)
		copy(grid[i], drawn[i*columns:min(len(drawn), (i+1)*columns)])
	}
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: gap, PadY: gap}
	for i, row := range plot.Align(grid, tiles, draw.Crop(page, margin, -margin, margin, -head-margin)) {
		for j, c := range row {
			if grid[i][j] != nil {
				grid[i][j].Draw(c)
			}
		}
	}
	return picture
}

// legend names the runs, a line each, above the panels, where it hides no data.
func legend(c draw.Canvas, all []*runs.Run) {
	l := plot.NewLegend()
	l.Top, l.Left, l.TextStyle.Font, l.Padding = true, true, sans(10), 2
	for i, r := range all {
		l.Add(printable(r.Name), &plotter.Line{LineStyle: style(i)})
	}
	l.Draw(c)
}

// printable is a name without what can't be drawn in a line, and not longer than one.
func printable(name string) string {
	clean := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name))
	const most = 80
	if len(clean) > most {
		clean = append([]rune("…"), clean[len(clean)-most:]...)
	}
	return string(clean)
}

func sans(size vg.Length) font.Font {
	f := font.From(plot.DefaultFont, size)
	f.Variant = "Sans"
	return f
}

func style(run int) draw.LineStyle {
	return draw.LineStyle{Color: colors[run%len(colors)], Width: 1.3, Dashes: dashes[run/len(colors)%len(dashes)]}
}

// panel draws a quantity of all runs; nil if none has it.
func panel(q runs.Quantity, all []*runs.Run, smooth float64) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding, p.Title.TextStyle.Font = q.Title, 4, sans(11)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Tick.Label.Font, axis.Label.TextStyle.Font = sans(8), sans(9)
		axis.Color, axis.Tick.Color = color.Gray{120}, color.Gray{120}
		axis.Tick.Marker = plot.TickerFunc(linearTicks)
	}
	p.X.Label.Text = "step"
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{228}, color.Gray{228}
	p.Add(grid)
	logarithmic := q.Log && anyPositive(q, all)
	if logarithmic {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	}
	found := false
	for i, r := range all {
		c := r.Curves[q.Name]
		if c == nil {
			continue
		}
		values := make([]float64, len(c.Points))
		for k, point := range c.Points {
			values[k] = drawable(point.Value, logarithmic)
		}
		bold := style(i)
		if smooth > 0 && q.Noisy {
			faint := bold
			pale := colors[i%len(colors)]
			pale.A = 70
			faint.Color, faint.Width = pale, 0.7
			add(p, c.Points, values, faint)
			values = runs.Smooth(values, smooth)
		}
		found = add(p, c.Points, values, bold) || found
	}
	if !found {
		return nil
	}
	spread(p, logarithmic)
	return p
}

// farthest is how far an axis reaches: what lies beyond is drawn there.
const farthest = 1e30

// drawable is the value that is drawn for y; NaN for none.
func drawable(y float64, logarithmic bool) float64 {
	switch {
	case !logarithmic:
		return max(-farthest, min(y, farthest))
	case y <= 0:
		return math.NaN()
	}
	return max(1/farthest, min(y, farthest))
}

func anyPositive(q runs.Quantity, all []*runs.Run) bool {
	for _, r := range all {
		if c := r.Curves[q.Name]; c != nil {
			for _, p := range c.Points {
				if p.Value > 0 {
					return true
				}
			}
		}
	}
	return false
}

// add draws a curve, in pieces where values are missing, and says whether there are any. Few points
// are marked, too, and a piece of one point is a mark only.
func add(p *plot.Plot, points []runs.Point, values []float64, s draw.LineStyle) (any bool) {
	const few = 40
	var piece plotter.XYs
	end := func() {
		if len(piece) > 0 {
			any = true
			p.Add(&plotter.Line{XYs: piece, LineStyle: s})
			if len(piece) == 1 || len(points) <= few {
				p.Add(&plotter.Scatter{XYs: piece, GlyphStyle: draw.GlyphStyle{Color: s.Color, Radius: 1.2 * s.Width, Shape: draw.CircleGlyph{}}})
			}
		}
		piece = nil
	}
	for i, y := range values {
		if math.IsNaN(y) {
			end()
			continue
		}
		piece = append(piece, plotter.XY{X: float64(points[i].Step), Y: y})
	}
	end()
	return any
}

// spread makes room around what is drawn, also where all of it has one value.
func spread(p *plot.Plot, logarithmic bool) {
	p.X.Min = 0 // steps begin there; the last is above it
	low, high := p.Y.Min, p.Y.Max
	switch {
	case logarithmic:
		factor := max(math.Pow(high/low, 0.05), 1.1)
		p.Y.Min, p.Y.Max = low/factor, high*factor
	default:
		room := max((high-low)*0.05, math.Abs(high)*0.01, 1e-12)
		p.Y.Min, p.Y.Max = low-room, high+room
	}
}
