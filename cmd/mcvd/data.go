package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/video"
)

func newData(a *app) *cobra.Command {
	return group("data", "Look at data sets, and write their clips as videos", newPeek(a), newExport(a))
}

// dataFlags choose clips of a data set.
type dataFlags struct {
	config, split string
	set           []string
	clips, frames int
}

func (d *dataFlags) addTo(cmd *cobra.Command, count int) {
	f := cmd.Flags()
	f.StringVarP(&d.config, "config", "c", "", "configuration file (required)")
	f.StringArrayVar(&d.set, "set", nil, "override a setting, such as data.path=clips; may be repeated")
	f.StringVar(&d.split, "split", string(clips.Train), "train, valid or test")
	f.IntVar(&d.clips, "clips", count, "number of clips")
	f.IntVar(&d.frames, "frames", 0, "frames of a clip (default: the experiment's past, current and future)")
}

// open opens the data set.
func (d *dataFlags) open(cmd *cobra.Command, a *app) (clips.Dataset, *configs.Config, error) {
	if d.config == "" {
		return nil, nil, usagef("no configuration: give --config FILE")
	}
	if err := checkCounts(cmd, "clips", "frames"); err != nil {
		return nil, nil, err
	}
	split := clips.Split(d.split)
	if err := split.Check(); err != nil {
		return nil, nil, usagef("--%v", err)
	}
	c, err := configs.Load(d.config, d.set...)
	if err != nil {
		return nil, nil, err
	}
	if d.frames == 0 {
		d.frames = c.Frames.Total()
	}
	ds, err := data.Open(cmd.Context(), c, split, d.frames, a.log)
	return ds, c, err
}

func newPeek(a *app) *cobra.Command {
	var d dataFlags
	var out string
	cmd := &cobra.Command{
		Use:     "peek",
		Short:   "Write a contact sheet of a data set's clips, as training sees them",
		Example: "  mcvd data peek -c configs/tiny.yml -o peek.png",
		Args:    arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ds, c, err := d.open(cmd, a)
			if err != nil {
				return err
			}
			var rows []video.Row
			for i := range d.clips {
				at := data.Fixed(ds, c.Seed, i, d.frames)
				clip, err := data.Cut(ds, at, d.frames)
				if err != nil {
					return err
				}
				rows = append(rows, video.Row{Label: ds.Name(at.Video), Clip: clip})
			}
			title := fmt.Sprintf("%s/%s, %d videos", c.Data.Name, d.split, ds.Len())
			if err := video.WriteSheet(out, title, rows...); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	d.addTo(cmd, 8)
	cmd.Flags().StringVarP(&out, "out", "o", "peek.png", "the PNG to write")
	return cmd
}

func newExport(a *app) *cobra.Command {
	var d dataFlags
	var out string
	var fps float64
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write a data set's clips as lossless MP4s, a folder that data.name: folder reads",
		Example: "  mcvd data export -c configs/tiny.yml --split test --clips 2 --frames 12 -o clips/test",
		Args:    arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("no folder: give --out DIR")
			}
			ds, c, err := d.open(cmd, a)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			bar := newProgress(a.stderr, "export", d.clips, 0)
			defer bar.clear()
			for i := range d.clips {
				clip, err := data.Cut(ds, data.Fixed(ds, c.Seed, i, d.frames), d.frames)
				if err != nil {
					return err
				}
				o := video.WriterOptions{Width: clip.Width, Height: clip.Height, Channels: clip.Channels, FPS: fps, Quality: video.Lossless}
				if err := video.WriteClip(cmd.Context(), filepath.Join(out, fmt.Sprintf("%05d.mp4", i)), clip, o); err != nil {
					return err
				}
				bar.step("")
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	d.addTo(cmd, 100)
	cmd.Flags().StringVarP(&out, "out", "o", "", "the folder to write (required)")
	cmd.Flags().Float64Var(&fps, "fps", 10, "frames a second")
	return cmd
}
