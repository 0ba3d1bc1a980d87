package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/eval/cloud"
	"mcvd/eval/metric"
)

// pointsCommand draws the forward and the reverse process of a model of points.
type pointsCommand struct {
	*app
	runFlags
	out          string
	points, rows int
}

func newPoints(a *app) *cobra.Command {
	c := &pointsCommand{app: a, points: 2000, rows: 6}
	cmd := &cobra.Command{
		Use:   "points RUN",
		Short: "Draw how points in the plane become noise and come back, by a run that learned points",
		Long: `Draw how points in the plane become noise and come back. The run is one of data.name: points, such
as those of configs/toy, whose model generates x and y together.

The picture has a row for each of several noise levels. On the left are points of the test split
with noise added, on the right those that the sampler has made of noise by then. The energy distance
of the generated points to the test split is printed, next to what is to be expected of as many
points drawn from the data: no model can be expected to come nearer.`,
		Example: `  mcvd train -c configs/toy/scurve.yml -o runs/scurve --set train.steps=200
  mcvd points runs/scurve -o out/scurve.png --points 200`,
		Args: arguments(1, 1, "a run folder"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if c.out != "" && strings.ToLower(filepath.Ext(c.out)) != ".png" {
				return fmt.Errorf("--out %s: want a name that ends in .png", c.out)
			}
			return c.checkDevices(c.points)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	c.addTo(cmd)
	f := cmd.Flags()
	f.StringVarP(&c.out, "out", "o", "", "file for the picture, a PNG (default: none is drawn)")
	f.Var(number{&c.points, 2, 10_000}, "points", "points that are generated, and points of the data set")
	f.Var(number{&c.rows, 2, 100}, "rows", "noise levels that are drawn, with evenly spaced amounts of noise")
	return cmd
}

func (c *pointsCommand) run(cmd *cobra.Command, dir string) error {
	l, err := c.open(dir, c.app)
	if err != nil {
		return err
	}
	defer l.close()
	if got := l.model.ClipShape(1, l.model.Frames.Current).Size(); got != 2 || l.config.Data.Name != "points" {
		return fmt.Errorf("%s: a run of data set %s whose blocks have %d values, want data.name points and 2 values, x and y: frames.current 2", dir, l.config.Data.Name, got)
	}
	if err := prepareFile("--out", c.out, owned{"the run folder", dir}); err != nil {
		return err
	}
	real, err := c.data(cmd, l.config)
	if err != nil {
		return err
	}
	g, err := l.generator(c.points)
	if err != nil {
		return err
	}
	defer g.Close()
	moments, err := g.History(cmd.Context(), real)
	if err != nil {
		return err
	}
	generated, err := metric.Energy(real, moments[len(moments)-1].Reverse)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "energy distance to %d data points: %.5f of as many by %s with %d steps, expected of as many from the data %.5f\n",
		c.points, generated, l.sampler.Name, l.sampler.Steps, metric.EnergyOfDraws(real, c.points))
	if c.out == "" {
		return nil
	}
	if err := cloud.Write(c.out, c.shown(moments)); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), c.out)
	return nil
}

// data is points of the test split, x and y of each.
func (c *pointsCommand) data(cmd *cobra.Command, config *configs.Config) ([]eval.Frames, error) {
	ds, err := data.Open(cmd.Context(), config, clips.Test, 2, c.log)
	if err != nil {
		return nil, err
	}
	points := make([]eval.Frames, c.points)
	for i := range points {
		clip, err := data.Cut(ds, data.Fixed(ds, config.Seed, i, 2), 2)
		if err != nil {
			return nil, err
		}
		points[i] = clips.ToFloat(clip)
	}
	return points, nil
}

// shown are the moments of the rows: those whose noise is nearest to evenly spaced amounts of it, from
// the first moment's to none.
func (c *pointsCommand) shown(moments []eval.Moment) (shown []eval.Moment) {
	last := -1
	for row := range c.rows {
		noise := moments[0].Level.Noise * (1 - float64(row)/float64(c.rows-1))
		nearest := 0
		for i, m := range moments {
			if math.Abs(m.Level.Noise-noise) <= math.Abs(moments[nearest].Level.Noise-noise) && (row > 0 || i == 0) {
				nearest = i
			}
		}
		if nearest != last { // fewer steps than rows
			shown, last = append(shown, moments[nearest]), nearest
		}
	}
	return shown
}
