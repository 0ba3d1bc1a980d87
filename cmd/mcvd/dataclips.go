package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/train"
)

// clipsCommand writes the list of the clips of an evaluation.
type clipsCommand struct {
	*app
	eval.Protocol
	set []string
	out string
}

func newClips(a *app) *cobra.Command {
	c := &clipsCommand{app: a}
	cmd := &cobra.Command{
		Use:   "clips RUN",
		Short: "Write the list of the clips that an evaluation scores",
		Long: `Write the clips that "mcvd eval" scores of a run with the same flags into a file: for each the name
of its video and the number of its first frame, and the SHA-256 of the whole list. eval --clips-file
then scores exactly these, whatever its seed, and refuses a list that was changed. RUN may also be a
configuration file.`,
		Example: `  mcvd data clips configs/tiny.yml --clips 8 -o list.json
  mcvd data clips runs/tiny --task interpolate -o out/between.json`,
		Args: arguments(1, 1, "a run folder or a configuration file"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if c.out == "" {
				return errors.New("no file for the list: give --out FILE.json")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.write(cmd, args[0]) },
	}
	f := cmd.Flags()
	c.Task, c.Name, c.Split = "predict", eval.DefaultProtocol, clips.Test
	f.Var(oneOf(&c.Task, eval.TaskNames()), "task", "predict, interpolate, retrodict or generate")
	f.Var(oneOf(&c.Name, eval.ProtocolNames()), "protocol", "whose rules choose the clips; see mcvd eval")
	f.Var(count(&c.Clips), "clips", "clips to list (default: the protocol's, or 16)")
	f.Var(count(&c.Frames), "frames", "frames that will be generated (default: the protocol's for the experiment's past frames, or one block, frames.current)")
	f.Uint64Var(&c.Seed, "seed", 0, "seed that chooses the clips (default: the experiment's)")
	splitFlag(cmd, &c.Split)
	f.StringArrayVar(&c.set, "set", nil, "override a setting, such as data.path=clips; may be repeated")
	f.StringVarP(&c.out, "out", "o", "", "the file for the list (required)")
	return cmd
}

func (c *clipsCommand) write(cmd *cobra.Command, source string) error {
	config, err := c.load(source)
	if err != nil {
		return err
	}
	if !cmd.Flags().Changed("seed") {
		c.Seed = config.Seed
	}
	config = seenBy(config, config.Sampler.Guidance)
	p, err := c.Complete(config.Frames)
	if err != nil {
		return err
	}
	if err := prepareFile("--out", c.out); err != nil {
		return err
	}
	job, err := p.Job()
	if err != nil {
		return err
	}
	ds, err := data.Open(cmd.Context(), config, p.Split, eval.ClipFrames(job.Task, config.Frames, job.Frames), c.log)
	if err != nil {
		return err
	}
	list, err := p.ListClips(ds, config.Frames)
	if err != nil {
		return err
	}
	if err := list.Write(c.out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s of %s, SHA-256 %s\n", c.out, plural(len(list.Clips), "clip"), plural(list.Frames, "frame"), list.SHA256)
	return nil
}

// load reads the experiment of a run folder, with other data, or of a configuration file.
func (c *clipsCommand) load(source string) (*configs.Config, error) {
	if info, err := os.Stat(source); err != nil || !info.IsDir() {
		return experiment.Load(source, c.set...)
	}
	run, err := train.OpenRun(source)
	if err != nil {
		return nil, err
	}
	return data.Override(run.Config, c.set)
}
