package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/augment"
	"mcvd/data/clips"
	"mcvd/data/video"
	"mcvd/models/backend"
	"mcvd/train"
)

func newPeek(a *app) *cobra.Command {
	var d dataFlags
	var out string
	var sample int
	var masks bool
	cmd := &cobra.Command{
		Use:   "peek",
		Short: "Write a contact sheet of clips of a data set, as training sees them",
		Long: "Write a contact sheet of clips of a data set, as training sees them. With --sample N they are\n" +
			"exactly those of training step N, in their order, mirrored where training mirrors them, and with\n" +
			"their times if training draws these (frames.times). With --masks they are shown as the network gets\n" +
			"them: hidden frames are blank, and visible ones have the border of given ones. The masks are those\n" +
			"that training draws on the Go backend.",
		Example: "  mcvd data peek -c configs/tiny.yml -o peek.png\n  mcvd data peek -c configs/tiny.yml --sample 100\n" +
			"  mcvd data peek -c configs/tiny.yml --sample 100 --masks",
		Args: arguments(0, 0, "none"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if !strings.EqualFold(filepath.Ext(out), ".png") {
				return fmt.Errorf("--out %s: want a path that ends in .png", out)
			}
			if sample > 0 {
				for _, name := range []string{"clips", "frames", "every", "split"} {
					if cmd.Flags().Changed(name) {
						return fmt.Errorf("--%s has no effect with --sample, which shows what training sees", name)
					}
				}
			}
			if masks && sample == 0 {
				return errors.New("--masks needs --sample N: each training step draws its own")
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
			least := d.frames
			if sample > 0 {
				least = c.Frames.Span()
			}
			ds, err := data.Open(cmd.Context(), c, d.split, least, a.log)
			if err != nil {
				return err
			}
			title := fmt.Sprintf("%s/%s, %d videos", c.Data.Name, d.split, ds.Len())
			rows, err := d.rows(ds, c)
			if sample > 0 {
				title += fmt.Sprintf(", step %d", sample)
				rows, err = rowsOfStep(ds, c, sample, a.log)
			}
			if err == nil && masks {
				err = hideFrames(rows, c, sample)
			}
			if err != nil {
				return err
			}
			if err := video.WriteSheet(out, title, rows...); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	d.addTo(cmd, 8)
	cmd.Flags().Var(count(&sample), "sample", "show the clips of this training step, counted from 1")
	cmd.Flags().BoolVar(&masks, "masks", false, "hide what the step hides from the network (frames.mask); needs --sample")
	cmd.Flags().StringVarP(&out, "out", "o", "peek.png", "the PNG to write")
	return cmd
}

// rows are the clips that the flags choose.
func (d *dataFlags) rows(ds clips.Dataset, c *configs.Config) ([]video.Row, error) {
	var rows []video.Row
	for _, at := range d.places(ds, c) {
		clip, err := data.Cut(ds, at, d.frames)
		if err != nil {
			return nil, err
		}
		rows = append(rows, video.Row{Label: ds.Name(at.Video), Clip: clip})
	}
	return rows, nil
}

// rowsOfStep are the clips of a training step, counted from 1 as in the log.
func rowsOfStep(ds clips.Dataset, c *configs.Config, step int, log *slog.Logger) ([]video.Row, error) {
	batches := data.NewBatches(ds, c, log)
	perStep := c.Train.Batch * c.Train.Accumulate
	var rows []video.Row
	for position := (step - 1) * perStep; position < step*perStep; position++ {
		s, err := batches.Clip(position)
		if err != nil {
			return nil, err
		}
		label := fmt.Sprintf("%s from %d", ds.Name(s.Video), s.Start)
		if s.Times != nil {
			label += ", times " + strings.Trim(fmt.Sprint(s.Times), "[]")
		}
		if s.Replaced {
			label += ", for one that can't be read"
		}
		rows = append(rows, video.Row{Label: label, Clip: s.Clip})
	}
	return rows, nil
}

// hideFrames blanks the conditioning frames that a training step hides, and marks all frames.
func hideFrames(rows []video.Row, c *configs.Config, step int) error {
	b, err := backend.Open("go")
	if err != nil {
		return err
	}
	defer b.Finalize()
	masks, err := train.Masks(b, c, step)
	if err != nil {
		return err
	}
	f := c.Frames
	for i := range rows {
		row := &rows[i]
		if masks[i].Reversed {
			row.Clip, row.Label = augment.Reverse(row.Clip), row.Label+", turned around"
		}
		row.Marks = video.Marks(f.Total(), f.Past, f.Future)
		for k, visible := range masks[i].Visible {
			if visible {
				continue
			}
			if k >= f.Past {
				k += f.Current
			}
			row.Marks[k] = video.Hidden
			pix := row.Clip.Slice(k, k+1).Pix
			for p := range pix {
				pix[p] = clips.Byte(0)
			}
		}
	}
	return nil
}
