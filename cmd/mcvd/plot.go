package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/train/plot"
	"mcvd/train/runs"
)

func newPlot(a *app) *cobra.Command {
	var out string
	var smooth float64
	cmd := &cobra.Command{
		Use:   "plot RUN...",
		Short: "Draw the curves of one or several runs into a picture",
		Long: `Draw the curves of one or several runs into a picture: training loss, validation loss and the error
of predicted clean frames on logarithmic axes, gradient norm, learning rate, speed, and the scores
that train.scores asks for. Each run has its colour and its name in the legend. Where a log is
longer than a curve has points, each point is the mean of several lines.`,
		Example: "  mcvd plot runs/tiny -o out/tiny.png\n  mcvd plot runs/tiny --smooth 0.9 -o out/tiny.pdf",
		Args:    arguments(1, -1, "run folders"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return fmt.Errorf("no file for the picture: give --out FILE, of %s", formats())
			}
			if !slices.Contains(plot.Formats(), strings.ToLower(filepath.Ext(out))) {
				return fmt.Errorf("--out %s: want a name that ends in %s", out, formats())
			}
			if !(smooth >= 0 && smooth < 1) {
				return fmt.Errorf("--smooth %g: want 0 to below 1", smooth)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showRuns(cmd, args, out, func(all []*runs.Run) error { return plot.Write(out, all, smooth) })
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file for the picture, of "+formats())
	cmd.Flags().Float64Var(&smooth, "smooth", 0, "weight of what was before in a moving average of losses of training, norms and speeds, 0 to below 1; 0 for none")
	return cmd
}

// formats lists the formats of pictures as text.
func formats() string {
	all := plot.Formats()
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// showRuns reads runs as far as they are, writes what shows them to out, and prints that path. A
// file in one of the run folders is refused.
func (a *app) showRuns(cmd *cobra.Command, dirs []string, out string, write func([]*runs.Run) error) error {
	all, err := runs.OpenAll(dirs)
	if err != nil {
		return err
	}
	defer runs.CloseAll(all)
	for _, r := range all {
		if err := notBelow("--out", "the run folder", r.Dir, out); err != nil {
			return err
		}
		if err := r.Update(cmd.Context()); err != nil {
			return err
		}
		if r.Broken > 0 {
			a.log.Warn("lines of the log were passed over: they are no lines of a training", "run", r.Dir, "lines", r.Broken)
		}
	}
	if err := prepareFile("--out", out); err != nil {
		return err
	}
	if err := write(all); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), out)
	return nil
}
