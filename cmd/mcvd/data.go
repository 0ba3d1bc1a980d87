package main

import (
	"errors"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
)

func newData(a *app) *cobra.Command {
	return group("data", "Look at data sets, and write their clips in other forms", newPeek(a), newExport(a), newConvert(a), newVerify(), newStats(a), newClips(a), newDataHelp())
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
