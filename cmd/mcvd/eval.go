package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"mcvd/configs/atomicfile"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
)

// evalCommand scores a run.
type evalCommand struct {
	*app
	runFlags
	eval.Protocol
	batch      int
	split, out string
	json       bool
}

func newEval(a *app) *cobra.Command {
	c := &evalCommand{app: a}
	cmd := &cobra.Command{
		Use:   "eval RUN",
		Short: "Score a run on held-out clips",
		Long: `Make videos of held-out clips and score them by PSNR and SSIM, in all and by frame, next to baselines.

Each metric takes the best of a clip's trajectories, chosen by itself (the published protocol), and their mean. Intervals
are 95 % by Student's t over clips. A generated video has no real counterpart: there only its cost is measured.`,
		Example: "  mcvd eval runs/tiny --task predict --clips 4 --trajectories 2 -o report.json",
		Args:    arguments(1, 1, "a run folder"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&c.Task, "task", "predict", "predict, interpolate, retrodict or generate")
	f.IntVar(&c.Clips, "clips", 16, "clips to score")
	f.IntVar(&c.Trajectories, "trajectories", 1, "videos made for each clip")
	f.IntVar(&c.Frames, "frames", 0, "frames to make (default: the model's block)")
	f.IntVar(&c.Advance, "advance", 0, "frames kept of each window (default: the whole block)")
	windowsFlag(cmd, &c.Windows)
	f.IntVar(&c.batch, "batch", 0, "videos made together (default: all, at most 16); does not change them")
	f.StringVar(&c.split, "split", string(clips.Test), "train, valid or test")
	f.StringVarP(&c.out, "out", "o", "", "also write the report as JSON to this file")
	f.BoolVar(&c.json, "json", false, "print JSON instead of tables")
	c.addTo(cmd)
	return cmd
}

func (c *evalCommand) run(cmd *cobra.Command, dir string) error {
	task, err := eval.ParseTask(c.Task)
	if err != nil {
		return usagef("--%v", err)
	}
	split := clips.Split(c.split)
	if err := split.Check(); err != nil {
		return usagef("--%v", err)
	}
	if err := checkCounts(cmd, "clips", "trajectories", "frames", "advance", "batch"); err != nil {
		return err
	}
	if err := checkWindows(c.Windows); err != nil {
		return err
	}
	l, err := c.open(dir, c.app)
	if err != nil {
		return err
	}
	defer l.close()
	if c.Frames == 0 {
		c.Frames = l.config.Frames.Current
	}
	if c.Advance == 0 {
		c.Advance = l.config.Frames.Current
	}
	job, err := c.Job()
	if err != nil {
		return err
	}
	if _, err := job.List(l.config.Frames); err != nil {
		return err
	}
	c.batch = min(cmp.Or(c.batch, 16), c.Clips*c.Trajectories)
	c.warnUnlearned(task, l.config)
	c.Seed = l.seed
	g, err := eval.NewGenerator(l.backend, l.store, l.model, l.sampler, l.seed, c.batch, l.devices)
	if err != nil {
		return err
	}
	defer g.Close()
	ds, err := data.Open(cmd.Context(), l.config, split, g.ClipFrames(task, c.Frames), c.log)
	if err != nil {
		return err
	}
	batches := 0
	for first := 0; first < c.Clips; first += c.batch {
		batches += (min(c.batch, c.Clips-first)*c.Trajectories + c.batch - 1) / c.batch
	}
	nfe, err := g.NFE(job)
	if err != nil {
		return err
	}
	bar := newProgress(c.stderr, "eval", batches*nfe, 0)
	report, err := eval.Evaluate(cmd.Context(), g, ds, c.Protocol, func() { bar.step("") })
	bar.clear()
	if err != nil {
		return err
	}
	report.Run, report.Checkpoint, report.Step = dir, l.checkpoint, l.step
	report.Dataset, report.Split, report.Sampler, report.Backend = l.config.Data.Name, c.split, l.sampler, l.choice.Name
	return c.print(cmd, report)
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
