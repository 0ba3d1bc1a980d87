package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/stats"
)

// described is what `mcvd data stats` writes as JSON.
type described struct {
	Dataset    string        `json:"dataset"`
	Path       string        `json:"path,omitempty"`
	Splits     []stats.Split `json:"splits"`
	Between    int           `json:"alike_between_splits"`
	Within     int           `json:"alike_within_splits"`
	Duplicates []stats.Alike `json:"alike"`
}

// shownPairs are how many pairs of videos that look alike are named.
const shownPairs = 20

func newStats(a *app) *cobra.Command {
	var d dataFlags
	var out, plot string
	sample := 500
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Describe a data set: videos, frames, lengths, brightness, and videos that look alike",
		Long: "Describe the splits of a data set: how many videos and frames, sizes, frame rates, lengths,\n" +
			"brightness, and pairs of videos that look alike in four frames. Such pairs in different splits make\n" +
			"scores too good. Pixels are read of --videos videos of each split, evenly spread.",
		Example: "  mcvd data stats -c configs/tiny.yml\n  mcvd data stats -c configs/tiny.yml --json stats.json --plot lengths.png",
		Args:    arguments(0, 0, "none"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if plot != "" && !strings.HasSuffix(strings.ToLower(plot), ".png") {
				return fmt.Errorf("--plot %s: want a path that ends in .png", plot)
			}
			return d.check()
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := d.load()
			if err == nil {
				err = errors.Join(prepareFile("--json", out), prepareFile("--plot", plot))
			}
			if err != nil {
				return err
			}
			all, err := describeSplits(cmd.Context(), a, c, sample)
			if err != nil {
				return err
			}
			if out != "" {
				text, err := json.MarshalIndent(all, "", "  ")
				if err == nil {
					err = atomicfile.Write(out, func(f *os.File) error { _, err := f.Write(append(text, '\n')); return err })
				}
				if err != nil {
					return fmt.Errorf("--json: %w", err)
				}
			}
			if plot != "" {
				if err := stats.Plot(plot, all.Splits); err != nil {
					return fmt.Errorf("--plot: %w", err)
				}
			}
			return all.print(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&d.config, "config", "c", "", "configuration file (required)")
	f.StringArrayVar(&d.set, "set", nil, "override a setting, such as data.path=clips; may be repeated")
	f.Var(number{&sample, 1, 20000}, "videos", "videos of each split whose pixels are read")
	f.StringVar(&out, "json", "", "also write everything as JSON to this file")
	f.StringVar(&plot, "plot", "", "also draw how long the videos are into this PNG")
	return cmd
}

// describeSplits opens all splits. One that has no usable video is left out with a line.
func describeSplits(ctx context.Context, a *app, c *configs.Config, sample int) (described, error) {
	all := described{Dataset: c.Data.Name, Path: data.Path(c), Duplicates: []stats.Alike{}}
	var failed error
	for _, name := range clips.Splits() {
		ds, err := data.Open(ctx, c, name, 1, a.log)
		if err != nil {
			if ctx.Err() != nil {
				return all, err
			}
			a.log.Warn("split is left out", "split", name, "reason", err)
			failed = errors.Join(failed, err)
			continue
		}
		s, err := stats.Of(ctx, name, ds, sample)
		if err != nil {
			return all, err
		}
		all.Splits = append(all.Splits, s)
	}
	if len(all.Splits) == 0 {
		return all, failed
	}
	pairs, between, within := stats.Duplicates(all.Splits, shownPairs)
	all.Duplicates, all.Between, all.Within = append(all.Duplicates, pairs...), between, within
	return all, nil
}

func (all described) print(out io.Writer) error {
	for _, s := range all.Splits {
		total := fmt.Sprint(s.Frames.Total)
		if s.Frames.Total < 0 {
			total = "without end"
		}
		fmt.Fprintf(out, "%s: %d videos, frames %s, %dx%dx%d\n", s.Name, s.Videos, total, s.Height, s.Width, s.Channels)
		fmt.Fprintf(out, "  frames a video     %d to %d, median %d\n", s.Frames.Least, s.Frames.Greatest, s.Frames.Median)
		for _, b := range s.Frames.Histogram {
			if len(s.Frames.Histogram) > 1 {
				fmt.Fprintf(out, "    %6d to %-6d   %d\n", b.From, b.To, b.Count)
			}
		}
		if s.FPS[1] > 0 {
			fmt.Fprintf(out, "  frames a second    %.4g to %.4g\n", s.FPS[0], s.FPS[1])
		}
		fmt.Fprintf(out, "  pixels, 0 to 255   mean %s, deviation %s (of %d videos)\n", values(s.Mean), values(s.Deviation), s.Sampled)
	}
	fmt.Fprintf(out, "videos that look alike: %d pairs in different splits, %d in the same\n", all.Between, all.Within)
	for _, p := range all.Duplicates {
		fmt.Fprintf(out, "  %s %s  ~  %s %s\n", p.SplitA, p.A, p.SplitB, p.B)
	}
	if more := all.Between + all.Within - len(all.Duplicates); more > 0 {
		fmt.Fprintf(out, "  and %d more\n", more)
	}
	return nil
}

// values writes numbers of the channels.
func values(x []float64) string {
	var texts []string
	for _, v := range x {
		texts = append(texts, fmt.Sprintf("%.1f", v))
	}
	return strings.Join(texts, " ")
}
