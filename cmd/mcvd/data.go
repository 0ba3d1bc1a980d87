package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/video"
)

func newData(a *app) *cobra.Command {
	return group("data", "Look at data sets, and write their clips in other forms", newPeek(a), newExport(a), newConvert(a), newVerify(), newDataHelp())
}

// dataFlags choose clips of a data set.
type dataFlags struct {
	config string
	split  clips.Split
	set    []string
	clips  int
	frames int
	every  int
}

func (d *dataFlags) addTo(cmd *cobra.Command, number int) {
	f := cmd.Flags()
	f.StringVarP(&d.config, "config", "c", "", "configuration file (required)")
	f.StringArrayVar(&d.set, "set", nil, "override a setting, such as data.path=clips; may be repeated")
	d.split, d.clips = clips.Train, number
	splitFlag(cmd, &d.split)
	f.Var(count(&d.clips), "clips", "clips to take")
	f.Var(count(&d.frames), "frames", "frames of a clip (default: the experiment's past, current and future)")
	f.Var(count(&d.every), "every", "take clips that start so many frames apart, video by video (default: the clips that eval takes)")
}

// splitFlag chooses a split of a data set; what split is before is the default.
func splitFlag(cmd *cobra.Command, split *clips.Split) {
	var names []string
	for _, s := range clips.Splits() {
		names = append(names, string(s))
	}
	cmd.Flags().Var(oneOf((*string)(split), names), "split", "train, valid or test")
}

// errNoConfig is the error of a command that can't do without a configuration.
var errNoConfig = errors.New("no configuration: give --config FILE")

// check refuses a command line without a configuration.
func (d *dataFlags) check() error {
	if d.config == "" {
		return errNoConfig
	}
	return nil
}

// load reads the configuration.
func (d *dataFlags) load() (*configs.Config, error) {
	c, err := experiment.Load(d.config, d.set...)
	if err != nil {
		return nil, err
	}
	if d.frames == 0 {
		d.frames = c.Frames.Total()
	}
	return c, nil
}

// places are where the clips start.
func (d *dataFlags) places(ds clips.Dataset, c *configs.Config) []data.At {
	var places []data.At
	if d.every == 0 {
		for i := range d.clips {
			places = append(places, data.Fixed(ds, c.Seed, i, d.frames))
		}
		return places
	}
	for at := range data.Windows(ds, d.frames, d.every) {
		if places = append(places, at); len(places) == d.clips {
			break
		}
	}
	return places
}

func newPeek(a *app) *cobra.Command {
	var d dataFlags
	var out string
	cmd := &cobra.Command{
		Use:     "peek",
		Short:   "Write a contact sheet of clips of a data set, as training sees them",
		Example: "  mcvd data peek -c configs/tiny.yml -o peek.png",
		Args:    arguments(0, 0, "none"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if !strings.EqualFold(filepath.Ext(out), ".png") {
				return fmt.Errorf("--out %s: want a path that ends in .png", out)
			}
			return d.check()
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := d.load()
			if err != nil {
				return err
			}
			if err := prepareFile("--out", out); err != nil {
				return err
			}
			ds, err := data.Open(cmd.Context(), c, d.split, d.frames, a.log)
			if err != nil {
				return err
			}
			var rows []video.Row
			for _, at := range d.places(ds, c) {
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
