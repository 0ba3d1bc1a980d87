package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/converted"
	"mcvd/data/store"
)

// convertCommand writes a data set into a store.
type convertCommand struct {
	*app
	set                      []string
	splits                   []string
	videos, frames, mb, jobs int
	compress                 string
}

func newConvert(a *app) *cobra.Command {
	c := &convertCommand{app: a, mb: 256, jobs: runtime.GOMAXPROCS(0), compress: "none"}
	var names []string
	for _, s := range clips.Splits() {
		names = append(names, string(s))
	}
	c.splits = slices.Clone(names)
	cmd := &cobra.Command{
		Use:   "convert SOURCE FOLDER",
		Short: "Write a data set into a store, from which training reads without decoding",
		Long: `Write a data set into a store: a folder of large files of raw frames with checksums, from which
training reads without decoding. data.name: store opens it.

SOURCE is the configuration file of an experiment, whose data set is written, or a folder of videos.
Frames have data.size and data.channels of the configuration; of a folder of videos they are 64x64
in grey. --set changes both. A data set that is drawn without an end needs --videos and --frames.

The same command again goes on where it ended, whatever ended it: files that are there are verified
and kept. It is refused if the source has changed since then.`,
		Example: `  mcvd data convert configs/tiny.yml out/store --videos 100 --frames 30
  mcvd data peek -c configs/tiny.yml --set data.name=store --set data.path=out/store -o peek.png`,
		Args: arguments(2, 2, "a configuration or a folder of videos, and the folder to write"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.set, "set", nil, "override a setting, such as data.size=64; may be repeated")
	f.Var(&someOf{values: &c.splits, names: names}, "splits", "the splits to write")
	f.Var(count(&c.videos), "videos", "the most videos of a split (default: all)")
	f.Var(count(&c.frames), "frames", "the most frames of a video, from its first one on (default: all)")
	f.Var(count(&c.mb), "shard-size", "megabytes of frames in a file")
	f.Var(count(&c.jobs), "jobs", "files to write at a time (default: the machine's cores)")
	f.Var(oneOf(&c.compress, []string{"none", "zstd"}), "compress", "none or zstd, which takes less disk and reads slower")
	return cmd
}

func (c *convertCommand) run(cmd *cobra.Command, source, dir string) error {
	config, err := c.load(source)
	if err != nil {
		return err
	}
	config.Data.Stride = 1 // a store has every frame
	path := data.Path(config)
	if path != "" {
		if err := notBelow("FOLDER", "the source", path, dir); err != nil {
			return err
		}
	}
	if err := notAmongRuns("FOLDER", dir, dir); err != nil {
		return err
	}
	settings, err := sourceSettings(config)
	if err != nil {
		return err
	}
	height, width := config.Data.Frame()
	from := converted.From{
		Open: func(ctx context.Context, split clips.Split) (clips.Dataset, error) {
			ds, err := data.Open(ctx, config, split, 1, c.log)
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w (--splits leaves a split out)", err)
			}
			return ds, err
		},
		Path:   path,
		Format: store.Format{Settings: settings, Height: height, Width: width, Channels: config.Data.Channels},
		Videos: c.videos, Frames: c.frames, ShardBytes: int64(c.mb) * 1e6,
	}
	for _, name := range c.splits {
		from.Splits = append(from.Splits, clips.Split(name))
	}
	if c.compress == "zstd" {
		from.Format.Chunk = converted.Chunk(from.Format.FrameSize())
	}
	var bar *progress
	defer func() {
		if bar != nil {
			bar.clear()
		}
	}()
	result, err := converted.Convert(cmd.Context(), dir, from, c.jobs, c.log, func(done, of int) {
		if bar == nil {
			bar = newProgress(c.stderr, "convert: file", of)
		}
		bar.reach(done, "")
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s (%d kept), %s, %s, %.1f MB\n", dir, plural(result.Shards, "file"), result.Kept,
		plural(result.Videos, "video"), plural(result.Frames, "frame"), float64(result.Bytes)/1e6)
	return nil
}

// load reads the configuration of the source: that of a file, or one of a folder of videos.
func (c *convertCommand) load(source string) (*configs.Config, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return experiment.Load(source, c.set...)
	}
	config := configs.Default()
	config.Data.Name, config.Data.Path = "folder", source
	return configs.Catalogue{Tables: data.Tables(), Check: data.Check}.Parse(source, config.YAML(), c.set...)
}

// sourceSettings are the settings that change the frames of a data set, but for its path, as one
// line.
func sourceSettings(c *configs.Config) (string, error) {
	d := c.Data
	text, err := json.Marshal(struct {
		Name, Path     string // the path stays empty
		Size, Channels int
		FPS            float64
		Flip           bool // stays false: this and OnError are here because stores have them
		OnError        string
		Options        configs.Options
	}{Name: d.Name, Size: d.Size, Channels: d.Channels, FPS: d.FPS, Options: d.Options})
	return string(text), err
}
