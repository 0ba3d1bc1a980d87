package main

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/models/sampler"
	"mcvd/train"
)

// bitsCommand says how likely a run's model finds real frames.
type bitsCommand struct {
	*app
	runFlags
	task         string
	split        clips.Split
	clips, batch int
	odeSteps     int
	variance     string
	asJSON       bool
}

func newBits(a *app) *cobra.Command {
	c := &bitsCommand{app: a, task: eval.Predict.String(), split: clips.Test, clips: 16, batch: 16, odeSteps: 20}
	c.devices = 1
	cmd := &cobra.Command{
		Use:   "bits RUN",
		Short: "How many bits per dimension a run's model needs for real frames: bound and exact likelihood",
		Long: `How many bits per dimension a run's model needs for the first block of real clips, given the frames
that the task sees. A block of bytes that is told as it is takes 8.

  prior     what the noisiest level still shows of the block
  steps     what the network adds, step by step, until the least noisy level
  decoder   the bytes, given the clean frames that it predicts there
  bound     their sum: the variational bound of DDPM (Ho et al. 2020, eq. 5)
  exact     by the probability-flow ODE (Song et al. 2021, eq. 39), with one direction for each clip

The bound is that of the process through --steps levels; the published ones are through all of them.
A model that was trained with the weight "simple" is good at frames, not at bits. docs/likelihood.md
says more.`,
		Example: `  mcvd bits runs/tiny --clips 4
  mcvd bits runs/tiny --clips 2 --steps 50 --ode-steps 10 --json`,
		Args: arguments(1, 1, "a run folder"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	c.flags = f
	f.Var(oneOf(&c.task, eval.TaskNames()), "task", "predict, interpolate, retrodict or generate")
	f.Var(number{&c.clips, 1, 1e6}, "clips", "clips whose first block is told")
	f.Var(number{&c.batch, 1, 1024}, "batch", "clips that are computed at a time")
	f.Int("steps", 0, "noise levels of the bound (default: the experiment's sampler.steps)")
	f.Var(number{&c.odeSteps, 1, 10_000}, "ode-steps", "steps of the ODE, with 4 evaluations of the network and its gradient each")
	f.Var(oneOf(&c.variance, sampler.Variances()), "variance", "of the bound's steps: posterior, beta or learned (default: learned if the model learned it, else posterior)")
	splitFlag(cmd, &c.split)
	f.BoolVar(&c.asJSON, "json", false, "print a JSON object with the bits of each clip")
	f.StringVar(&c.checkpoint, "checkpoint", "", "a file of RUN/checkpoints such as "+train.BestCheckpoint+", or a path (default: the newest)")
	f.Uint64Var(&c.seed, "seed", 0, "seed of the clips and of the noise (default: the experiment's)")
	backendFlag(cmd, &c.backend)
	c.dataFlag(cmd)
	return cmd
}

// bitsReport is what is printed with --json. All numbers are in bits per dimension.
type bitsReport struct {
	Task  string     `json:"task"`
	Steps int        `json:"steps"`
	ODE   int        `json:"ode_steps"`
	Clips []clipBits `json:"clips"`
}

// clipBits are those of a clip.
type clipBits struct {
	Video   string    `json:"video"`
	Start   int       `json:"start"`
	Prior   float64   `json:"prior"`
	Steps   []float64 `json:"steps"` // the noisiest first
	Decoder float64   `json:"decoder"`
	Bound   float64   `json:"bound"`
	Exact   float64   `json:"exact"`
}

func (c *bitsCommand) run(cmd *cobra.Command, dir string) error {
	if err := c.checkData(); err != nil {
		return err
	}
	l, err := c.open(dir, c.app)
	if err != nil {
		return err
	}
	defer l.close()
	l.sampler.Guidance, l.sampler.Precision, l.sampler.Start = configs.Guidance{Name: "none"}, "float32", 0
	task, err := eval.ParseTask(c.task)
	if err != nil {
		return err
	}
	cases, err := c.cases(cmd, l, task)
	if err != nil {
		return err
	}
	g, err := l.generator(min(c.batch, c.clips))
	if err != nil {
		return err
	}
	defer g.Close()
	likelihood, err := eval.NewLikelihood(g, l.store, l.sampler, c.variance)
	if err != nil {
		return err
	}
	defer likelihood.Close()
	bits, err := likelihood.Bits(cmd.Context(), task, cases, c.odeSteps)
	if err != nil {
		return err
	}
	report := bitsReport{Task: c.task, Steps: l.sampler.Steps, ODE: c.odeSteps}
	for i, b := range bits {
		report.Clips = append(report.Clips, clipBits{cases[i].Video, cases[i].Start, b.Prior, b.Steps, b.Decoder, b.Total(), b.Exact})
	}
	if c.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
	}
	return report.write(cmd)
}

// cases are the clips of the split.
func (c *bitsCommand) cases(cmd *cobra.Command, l *loaded, task eval.Task) ([]eval.Case, error) {
	f := l.model.Frames
	j := eval.Job{Task: task, Frames: f.Current, Advance: f.Current}
	if _, err := j.List(f); err != nil {
		return nil, err
	}
	ds, err := data.Open(cmd.Context(), l.config, c.split, eval.ClipFrames(task, f, f.Current), c.log)
	if err != nil {
		return nil, err
	}
	source := eval.FromDataset(ds, l.seed, j, f)
	cases := make([]eval.Case, c.clips)
	for i := range cases {
		if cases[i], err = source(i); err != nil {
			return nil, err
		}
	}
	return cases, nil
}

// write prints means over the clips and their standard errors.
func (r bitsReport) write(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "bits per dimension of a block, %s, %s:\n", r.Task, plural(len(r.Clips), "clip"))
	for _, row := range []struct {
		name string
		of   func(clipBits) float64
		what string
	}{
		{"prior", func(c clipBits) float64 { return c.Prior }, ""},
		{"steps", func(c clipBits) float64 { return c.Bound - c.Prior - c.Decoder }, fmt.Sprintf("between %s", plural(r.Steps, "level"))},
		{"decoder", func(c clipBits) float64 { return c.Decoder }, ""},
		{"bound", func(c clipBits) float64 { return c.Bound }, "their sum"},
		{"exact", func(c clipBits) float64 { return c.Exact }, fmt.Sprintf("by %s of the ODE", plural(r.ODE, "step"))},
	} {
		mean, squares, n := 0.0, 0.0, float64(len(r.Clips))
		for _, clip := range r.Clips {
			mean += row.of(clip) / n
		}
		for _, clip := range r.Clips {
			squares += (row.of(clip) - mean) * (row.of(clip) - mean)
		}
		text := fmt.Sprintf("  %-8s %9.4f", row.name, mean)
		if n > 1 {
			text += fmt.Sprintf(" +- %.4f", math.Sqrt(squares/(n-1)/n))
		}
		if row.what != "" {
			text += "  " + row.what
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
	}
	return nil
}
