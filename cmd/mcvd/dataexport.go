package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/export"
)

func newExport(a *app) *cobra.Command {
	var d dataFlags
	var out string
	var fps float64
	format := "mp4"
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write clips of a data set as MP4s, HDF5, tars or a LeRobot recording",
		Long: `Write clips of a data set for other programs, or for data.path.

  mp4         lossless MP4s in the folder; data.name: folder reads them
  hdf5        SPLIT/shard_0001.hdf5 in the layout of the published code; data.name: shards reads
              colour frames of splits train and test with data.options.layout=bair, and those
              of KTH, which get a list of persons, with layout=kth and data.path=DIR/SPLIT
  lerobot     a recording in LeRobot's format v3 in the folder, without loss, where each clip is an
              episode of the split train, whatever --split is; data.name: lerobot reads it
  webdataset  SPLIT/000000.tar with an array 000000.npy for each clip: bytes [frames, height,
              width, channels]; data.name: webdataset reads them`,
		Example: `  mcvd data export -c configs/tiny.yml --split test --clips 2 --frames 12 -o clips/test
  mcvd data export -c configs/tiny.yml --format hdf5 --clips 2 --frames 12 -o out/hdf5`,
		Args: arguments(0, 0, "none"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return errors.New("no folder: give --out DIR")
			}
			if cmd.Flags().Changed("fps") && format != "mp4" && format != "lerobot" {
				return fmt.Errorf("--fps: has no effect on --format %s, which has no frame rate", format)
			}
			return d.check()
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := d.load()
			if err != nil {
				return err
			}
			if err := notAmongRuns("--out", out, out); err != nil {
				return err
			}
			ds, err := data.Open(cmd.Context(), c, d.split, d.frames, a.log)
			if err != nil {
				return err
			}
			places := d.places(ds, c)
			bar := newProgress(a.stderr, "export: clip", len(places))
			defer bar.clear()
			err = export.Write(cmd.Context(), format, out, d.split, func(yield func(export.Video, error) bool) {
				for _, at := range places {
					clip, err := data.Cut(ds, at, d.frames)
					if !yield(export.Video{Clip: clip, FPS: cmp.Or(fps, clips.FPS(ds, at.Video), 10), Person: clips.Person(ds, at.Video)}, err) {
						return
					}
					bar.step("")
				}
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	d.addTo(cmd, 100)
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "", "the folder to write (required)")
	f.Var(oneOf(&format, export.Formats()), "format", "hdf5, lerobot, mp4 or webdataset")
	f.Var(frameRate{&fps}, "fps", "frames a second of mp4 and lerobot (default: the data set's, or 10 where it has none)")
	return cmd
}
