package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/models"
	"mcvd/models/published"
	"mcvd/models/weights"
	"mcvd/train"
)

// exportCommand writes a run's weights to one file.
type exportCommand struct {
	*app
	out, checkpoint, names, scope string
}

func newExportWeights(a *app) *cobra.Command {
	c := &exportCommand{app: a}
	cmd := &cobra.Command{
		Use:   "export RUN",
		Short: "Write a run's weights to one safetensors file, for this project or for PyTorch",
		Long: `Write the weights of a run's checkpoint to one safetensors file, with the configuration in its
metadata.

With --names published, tensors have the names and shapes of the published code's state dict, and
its buffers are there, too. In PyTorch, model.load_state_dict(safetensors.torch.load_file(FILE))
then loads the file. "mcvd import" reads files of both kinds back, bit for bit.`,
		Example: `  mcvd export runs/tiny -o model.safetensors
  mcvd export runs/tiny --names published --weights model -o published.safetensors`,
		Args:    arguments(1, 1, "a run folder"),
		PreRunE: func(cmd *cobra.Command, args []string) error { return c.check() },
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&c.out, "out", "o", "", "safetensors file")
	f.StringVar(&c.checkpoint, "checkpoint", "", "a file of RUN/checkpoints such as "+train.BestCheckpoint+", or a path (default: the newest)")
	c.names, c.scope = ownNames, models.EMAScope
	f.Var(oneOf(&c.names, []string{ownNames, publishedNames}), "names", "names of the tensors: own (this project's) or published (the PyTorch code's)")
	f.Var(oneOf(&c.scope, []string{models.EMAScope, models.WeightsScope, allScopes}), "weights", "ema (the average, which generates videos), model (the weights that training changes), or all (both and Adam's state, with --names own)")
	return cmd
}

// The values of --names, and one of --weights besides the scopes of a checkpoint.
const (
	ownNames       = "own"
	publishedNames = "published"
	allScopes      = "all"
)

// check refuses flags that don't go together.
func (c *exportCommand) check() error {
	switch {
	case c.out == "":
		return errors.New("no file to write: give --out FILE.safetensors")
	case c.scope == allScopes && c.names == publishedNames:
		return errors.New("--weights all: a published state dict holds one set of weights, want ema or model")
	}
	return nil
}

func (c *exportCommand) run(ctx context.Context, dir string) error {
	run, err := train.OpenRun(dir)
	if err != nil {
		return err
	}
	f, progress, err := run.OpenCheckpoint(c.checkpoint, c.log)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := notBelow("--out", "the run folder", dir, c.out); err != nil {
		return err
	}
	if same, err := sameFile(f.Path(), c.out); err != nil {
		return err
	} else if same {
		return fmt.Errorf("--out %s: is the checkpoint itself", c.out)
	}
	entries, err := c.entries(run, f)
	if err != nil {
		return err
	}
	if c.scope != allScopes {
		progress = train.Progress{Step: progress.Step}
	}
	metadata, err := train.Metadata(run.Config, progress)
	if err != nil {
		return err
	}
	if err := prepareFile("--out", c.out); err != nil { // before gigabytes are read
		return err
	}
	if err := weights.Write(c.out, metadata, stopping(ctx, entries)); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "%s: %d tensors of %s, step %d\n", c.out, len(entries), f.Path(), progress.Step)
	return nil
}

// entries are the tensors to write.
func (c *exportCommand) entries(run *train.Run, f *weights.File) ([]weights.Entry, error) {
	var own []weights.Entry
	for _, t := range f.Tensors() {
		if c.scope == allScopes || strings.HasPrefix(t.Name, c.scope+"/") {
			own = append(own, weights.Entry{Tensor: t, Data: func() ([]byte, error) { return f.Read(t.Name) }})
		}
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("%s: has none of --weights %s", f.Path(), c.scope)
	}
	if c.names == ownNames {
		return own, nil
	}
	m, l, err := layOut(run.Config)
	if err != nil {
		return nil, err
	}
	entries, err := published.Export(f, c.scope, m, l, run.Config.Diffusion.Schedule)
	if err != nil {
		return nil, fmt.Errorf("--names published: %w; want --names own", err)
	}
	return entries, nil
}
