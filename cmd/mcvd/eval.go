package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs/atomicfile"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/eval/metric"
)

// evalCommand scores a run.
type evalCommand struct {
	*app
	runFlags
	eval.Protocol
	batch        int
	split        string
	metrics      []string
	out, records string
	json         bool
}

func newEval(a *app) *cobra.Command {
	c := &evalCommand{app: a}
	cmd := &cobra.Command{
		Use:   "eval RUN",
		Short: "Score a run on held-out clips",
		Long: `Generate videos of held-out clips and score them, as a whole and frame by frame, next to baselines.

psnr, ssim and digit compare each generated video with the real one. They have two scores for a
clip: that of its best trajectory, which each metric chooses by itself (the published protocol), and
the mean over its trajectories. Intervals are 95 % by Student's t over clips. mmd compares all
generated videos with all real ones. Videos of the task generate have no real counterpart, so they
are scored by mmd only.

--records writes a line of JSON for each video as soon as it is scored, the baselines' included.`,
		Example: `  mcvd eval runs/tiny --task predict --clips 4 --trajectories 2 -o report.json
  mcvd eval runs/tiny --metrics psnr --records out/records.jsonl
  mcvd eval runs/tiny --set data.name=folder --set data.path=clips --clips 2`,
		Args: arguments(1, 1, "a run folder"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&c.Task, "task", "predict", "predict, interpolate, retrodict or generate")
	f.IntVar(&c.Clips, "clips", 16, "clips to score")
	f.IntVar(&c.Trajectories, "trajectories", 1, "videos of each clip, with different noise")
	f.IntVar(&c.Frames, "frames", 0, "frames to generate (default: one block, frames.current)")
	f.IntVar(&c.Advance, "advance", 0, "frames that are kept of each block; fewer is slower (default: all)")
	windowsFlag(cmd, &c.Windows)
	f.IntVar(&c.batch, "batch", 0, "videos generated at a time, which does not change them (default: all, at most 16)")
	f.StringVar(&c.split, "split", string(clips.Test), "train, valid or test")
	f.StringSliceVar(&c.metrics, "metrics", nil, "any of "+strings.Join(metric.Names(), ",")+", separated by commas (default: all that can be computed, without digit, which is only for videos of one built-in digit)")
	f.StringVar(&c.records, "records", "", "also write the scores of each video to this new file, as lines of JSON")
	f.StringVarP(&c.out, "out", "o", "", "also write the report as JSON to this file")
	f.BoolVar(&c.json, "json", false, "print JSON instead of tables")
	c.addTo(cmd)
	c.dataFlag(cmd)
	return cmd
}

func (c *evalCommand) run(cmd *cobra.Command, dir string) error {
	if err := c.check(cmd); err != nil {
		return err
	}
	l, err := c.open(dir, c.app)
	if err != nil {
		return err
	}
	defer l.close()
	c.Seed = l.seed
	c.Frames = cmp.Or(c.Frames, l.config.Frames.Current)
	c.Advance = cmp.Or(c.Advance, l.config.Frames.Current)
	job, err := c.Job()
	if err != nil {
		return err
	}
	if _, err := job.List(l.config.Frames); err != nil {
		return err
	}
	c.warnUnlearned(job.Task, l.config)
	if c.out != "" {
		if err := atomicfile.Prepare(c.out); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	record, done, err := c.openRecords()
	if err != nil {
		return err
	}
	report, err := c.evaluate(cmd.Context(), l, job, record)
	if err := errors.Join(err, done()); err != nil {
		return err
	}
	report.Run, report.Checkpoint, report.Step = dir, l.checkpoint, l.step
	report.Dataset, report.Path, report.Split = l.config.Data.Name, l.config.Data.Path, c.split
	report.Sampler, report.Backend = l.sampler, l.choice.Name
	return c.print(cmd, report)
}

// check refuses flags that can't be right before anything is opened.
func (c *evalCommand) check(cmd *cobra.Command) error {
	if _, err := eval.ParseTask(c.Task); err != nil {
		return usagef("--%v", err)
	}
	if err := clips.Split(c.split).Check(); err != nil {
		return usagef("--%v", err)
	}
	if err := metric.Check(c.metrics); err != nil {
		return usagef("--%v", err)
	}
	return errors.Join(checkCounts(cmd, "clips", "trajectories", "frames", "advance", "batch"), checkWindows(c.Windows))
}

// evaluate scores the run.
func (c *evalCommand) evaluate(ctx context.Context, l *loaded, j eval.Job, record func(eval.Record) error) (*eval.Report, error) {
	g, err := l.generator(min(cmp.Or(c.batch, 16), c.Clips*c.Trajectories))
	if err != nil {
		return nil, err
	}
	defer g.Close()
	metrics, err := metric.Open(c.metrics, metric.Needs{Backend: l.backend, Weights: metricsFolder()})
	if err != nil {
		return nil, err
	}
	defer metric.Close(metrics)
	ds, err := data.Open(ctx, l.config, clips.Split(c.split), eval.ClipFrames(j.Task, l.config.Frames, j.Frames), c.log)
	if err != nil {
		return nil, err
	}
	evaluations, err := c.Evaluations(g)
	if err != nil {
		return nil, err
	}
	bar := newProgress(c.stderr, "eval", evaluations)
	defer bar.clear()
	return eval.Evaluate(ctx, g, ds, c.Protocol, metrics, eval.Watch{Record: record, Progress: func() { bar.step("") }})
}

// openRecords opens the file of --records; done closes it, and removes it if no record came.
// Without the flag, record is nil.
func (c *evalCommand) openRecords() (record func(eval.Record) error, done func() error, err error) {
	if c.records == "" {
		return nil, func() error { return nil }, nil
	}
	if err := os.MkdirAll(filepath.Dir(c.records), 0o755); err != nil {
		return nil, nil, fmt.Errorf("--records: %w", err)
	}
	f, err := os.OpenFile(c.records, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, nil, fmt.Errorf("--records %s: is there already, want a new file", c.records)
	} else if err != nil {
		return nil, nil, fmt.Errorf("--records: %w", err)
	}
	return eval.WriteRecords(f), func() error {
		info, err := f.Stat()
		if err == nil && info.Size() == 0 {
			return errors.Join(f.Close(), os.Remove(c.records))
		}
		return errors.Join(err, f.Sync(), f.Close())
	}, nil
}

// metricsFolder is where the weights of metrics are: mcvd/metrics in the user's data folder.
func metricsFolder() string {
	folder := os.Getenv("XDG_DATA_HOME")
	if folder == "" {
		home, _ := os.UserHomeDir() // without one, the metric says where it looked
		folder = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(folder, "mcvd", "metrics")
}

func (c *evalCommand) print(cmd *cobra.Command, report *eval.Report) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	var fileErr error // the numbers are printed all the same
	if c.out != "" {
		fileErr = atomicfile.Write(c.out, func(f *os.File) error {
			_, err := f.Write(text)
			return err
		})
	}
	if c.json {
		_, err = cmd.OutOrStdout().Write(text)
	} else {
		err = report.WriteText(cmd.OutOrStdout())
	}
	return errors.Join(fileErr, err)
}
