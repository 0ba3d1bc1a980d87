package stats

import (
	"fmt"
	"image/color"
	"io"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"mcvd/configs/atomicfile"
)

// Plot draws how many frames videos have, a panel for each split, into a PNG.
func Plot(path string, splits []Split) error {
	panels := make([][]*plot.Plot, 1)
	for _, s := range splits {
		p := plot.New()
		p.Title.Text = fmt.Sprintf("%s: %d videos", s.Name, s.Videos)
		p.X.Label.Text, p.Y.Label.Text = "frames", "videos"
		var counts plotter.Values
		var labels []string
		for _, b := range s.Frames.Histogram {
			counts = append(counts, float64(b.Count))
			label := fmt.Sprint(b.From)
			if b.To > b.From {
				label += fmt.Sprintf("-%d", b.To)
			}
			labels = append(labels, label)
		}
		drawn, err := plotter.NewBarChart(counts, vg.Points(18))
		if err != nil {
			return err
		}
		drawn.Color, drawn.LineStyle.Width = color.NRGBA{0, 114, 178, 255}, 0
		p.Add(drawn)
		p.NominalX(labels...)
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign = 0.8, draw.XRight
		panels[0] = append(panels[0], p)
	}
	picture := vgimg.NewWith(vgimg.UseWH(vg.Length(len(splits))*vg.Points(300), vg.Points(240)), vgimg.UseDPI(144))
	tiles := draw.Tiles{Rows: 1, Cols: len(splits), PadX: vg.Points(8), PadTop: vg.Points(6), PadBottom: vg.Points(6), PadLeft: vg.Points(6), PadRight: vg.Points(6)}
	for i, canvas := range plot.Align(panels, tiles, draw.New(picture))[0] {
		panels[0][i].Draw(canvas)
	}
	return atomicfile.Write(path, func(f *os.File) error {
		_, err := io.WriterTo(vgimg.PngCanvas{Canvas: picture}).WriteTo(f)
		return err
	})
}
