package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/models"
	"mcvd/models/backend"
	"mcvd/models/published"
	"mcvd/models/published/schema"
	"mcvd/models/weights"
	"mcvd/train"
)

// importCommand makes a run folder from weights that lie elsewhere.
type importCommand struct {
	*app
	config, out string
	set, only   []string
}

func newImport(a *app) *cobra.Command {
	c := &importCommand{app: a}
	cmd := &cobra.Command{
		Use:   "import CHECKPOINT",
		Short: "Make a run folder from weights that lie elsewhere",
		Long: `Make a run folder from weights that lie elsewhere. "mcvd predict" and the other tasks then generate
videos with them, and "mcvd train" goes on training. CHECKPOINT is one of these, with the parameter
names of the published code or of this project:

  a checkpoint of the published PyTorch code
  a state dict that torch.save wrote
  a safetensors file with a state dict, such as "mcvd export" writes

--config may be in the published schema or in this project's. A file of "mcvd export" has its
configuration inside. Names and shapes must be exactly those of the configuration. Without averaged
weights in the file, the average starts as the weights. Without Adam's state, its means start at
zero and the learning rate warms up again. Nothing in a file is executed. docs/published.md says
what becomes of each setting and each name.

With --only, parameters that match a pattern are taken from the file, and training begins anew from
them at step 0. All others get first weights from the configuration's seed. A pattern, such as
'down*' or 'middle/0', names a layer, a part of one or a parameter; * stands for any characters but
a slash. A table on stdout says where each layer's weights come from.`,
		Example: `  mcvd import checkpoint.pt --config config.yml -o runs/published
  mcvd import model.safetensors -o runs/copy
  mcvd import model.safetensors --only down0 --only middle -o runs/tuned`,
		Args: arguments(1, 1, "a checkpoint"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if c.out == "" {
				return errNoRunFolder
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0], cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVarP(&c.config, "config", "c", "", "configuration file, in the published schema or in this project's")
	f.StringVarP(&c.out, "out", "o", "", "run folder")
	f.StringArrayVar(&c.only, "only", nil, "import the parameters that match this pattern, such as 'down*', and no others; may be repeated")
	f.StringArrayVar(&c.set, "set", nil, "override a setting, such as data.path=clips/; may be repeated")
	return cmd
}

func (c *importCommand) run(ctx context.Context, path string, stdout io.Writer) error {
	if err := train.CheckNew(c.out); err != nil {
		return err
	}
	checkpoint, err := published.Open(path)
	if err != nil {
		return err
	}
	defer checkpoint.Close()
	config, trained, err := c.load(path, checkpoint)
	if err != nil {
		return err
	}
	if err := c.compare(path, trained, config); err != nil {
		return err
	}
	m, l, err := layOut(config)
	if err != nil {
		return err
	}
	in := incoming{path, checkpoint, config, m, l}
	if len(c.only) > 0 {
		return c.part(ctx, in, stdout)
	}
	return c.whole(ctx, in)
}

// incoming is a file of weights, and what they are weights of.
type incoming struct {
	path       string
	checkpoint *published.Checkpoint
	config     *configs.Config
	model      *models.Model
	listing    models.Listing
}

// whole imports a whole file, from which training goes on.
func (c *importCommand) whole(ctx context.Context, in incoming) error {
	progress, err := progressOf(in.path, in.checkpoint)
	if err != nil {
		return err
	}
	if err := in.checkpoint.CheckSchedule(in.model.Schedule); err != nil {
		return err
	}
	entries, err := in.checkpoint.Entries(in.listing)
	if err != nil {
		return err
	}
	if err := train.Create(c.out, in.config, progress, stopping(ctx, entries), os.Args, versions()); err != nil {
		return err
	}
	c.report(in.checkpoint, in.listing.Weights, progress)
	if progress.Step >= in.config.Train.Steps {
		c.log.Warn(fmt.Sprintf("training is over at train.steps, which is %d: to go on, mcvd train %s --set train.steps=%d, say", in.config.Train.Steps, c.out, progress.Step+1000))
	}
	return nil
}

// part imports a part of a file, from which training begins anew.
func (c *importCommand) part(ctx context.Context, in incoming, stdout io.Writer) error {
	part, err := in.checkpoint.Part(in.listing, c.only, in.config.Seed)
	if err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	// The weights may be useful to a model with another schedule, but the user should know.
	if err := in.checkpoint.CheckSchedule(in.model.Schedule); err != nil {
		c.log.Warn(err.Error())
	}
	if err := train.Create(c.out, in.config, train.Progress{}, stopping(ctx, part.Entries), os.Args, versions()); err != nil {
		return err
	}
	count := map[string]int{}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "from\tlayer\ttensors\tvalues\tin the file")
	for _, r := range part.Rows {
		count[r.Origin] += r.Tensors
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", r.Origin, cmp.Or(r.Layer, "-"), r.Tensors, r.Values, cmp.Or(r.InFile, "-"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "%s: %d parameters from the file, %d with first weights; %d tensors of the file not used; step 0\n  averaged weights equal, Adam's means zeros\n  %s\n",
		c.out, count[published.FromFile], count[published.FirstWeights], count[published.Unused], checksums(in.checkpoint))
	return nil
}

// layOut makes the model and lists its layers and weights.
func layOut(config *configs.Config) (*models.Model, models.Listing, error) {
	m, err := models.New(config)
	if err != nil {
		return nil, models.Listing{}, err
	}
	b, err := backend.Open("go") // any backend will do, because nothing is run
	if err != nil {
		return nil, models.Listing{}, err
	}
	defer b.Finalize()
	l, err := m.List(b)
	return m, l, err
}

// progressOf is the progress from which training goes on. With Adam's state, warm-up and bias
// correction go on, too.
func progressOf(path string, checkpoint *published.Checkpoint) (train.Progress, error) {
	p, ok, err := train.ReadProgress(path, checkpoint.Metadata)
	if err != nil {
		return p, err
	}
	if !ok {
		p = train.Progress{Step: checkpoint.Step, Updates: checkpoint.Updates}
	}
	if !checkpoint.HasAdam() {
		return train.Progress{Step: p.Step}, nil
	}
	if !ok && p.Updates == 0 {
		return p, fmt.Errorf("%s: Adam's means, but nothing says of how many updates: leave them out, or export the file again", path)
	}
	return p, nil
}

// stopping ends the writing of entries between two tensors when ctx ends.
func stopping(ctx context.Context, entries []weights.Entry) []weights.Entry {
	entries = slices.Clone(entries)
	for i := range entries {
		read := entries[i].Data
		entries[i].Data = func() ([]byte, error) {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("stopped, nothing is written: %w", ctx.Err())
			}
			return read()
		}
	}
	return entries
}

// compare warns if weights are used with other settings than they were trained with, because shapes
// may still be the same. With another process the network would be asked for something that it never
// learned to predict: that is refused, unless training begins anew.
func (c *importCommand) compare(path string, trained, config *configs.Config) error {
	if other := train.OtherProcess(trained, config); len(other) > 0 && len(c.only) == 0 {
		return fmt.Errorf("%s: these weights were trained with another process:\n  %s\nleave these settings as they were, or begin a new training with the weights: --only '*'",
			path, strings.Join(other, "\n  "))
	}
	for _, difference := range train.Differences(trained, config) {
		c.log.Warn("these weights were trained with another setting", "file", path, "difference", difference)
	}
	return nil
}

// load reads the configuration from --config, or else from the weights' file, and what the weights
// were trained with, as far as that is known. Networks of the published code predict eps.
func (c *importCommand) load(path string, checkpoint *published.Checkpoint) (config, trained *configs.Config, err error) {
	text, ok := checkpoint.Metadata[train.ConfigKey]
	if !ok && c.config == "" {
		return nil, nil, fmt.Errorf("%s: says nothing of its configuration: give --config FILE", path)
	}
	if !ok {
		if config, err = c.loadFile(); err != nil {
			return nil, nil, err
		}
		known := *config
		if checkpoint.HasPublishedNames() {
			known.Diffusion.Target = "eps"
		}
		return config, &known, nil
	}
	name := path + ": " + train.ConfigKey
	if trained, err = experiment.Parse(name, []byte(text)); err != nil {
		return nil, nil, err
	}
	config = trained
	if c.config != "" {
		config, err = c.loadFile()
	} else if len(c.set) > 0 {
		config, err = experiment.Parse(name, []byte(text), c.set...)
	}
	return config, trained, err
}

// loadFile reads the file of --config.
func (c *importCommand) loadFile() (*configs.Config, error) {
	text, err := configs.ReadFile(c.config)
	if err != nil {
		return nil, err
	}
	if !schema.Is(text) {
		return experiment.Load(c.config, c.set...)
	}
	return translate(c.config, text, c.set, c.log)
}

// report says on stderr what was imported.
func (c *importCommand) report(checkpoint *published.Checkpoint, w []models.Weight, p train.Progress) {
	parameters := 0
	for _, one := range w {
		n := 1
		for _, d := range one.Shape {
			n *= d
		}
		parameters += n
	}
	average, adam := "in the file", fmt.Sprintf("in the file, of %d updates", p.Updates)
	switch {
	case !checkpoint.HasEMA():
		average = "not in the file: the weights themselves"
	case !checkpoint.HasWeights():
		average = "all that the file has: training goes on from them"
	}
	if !checkpoint.HasAdam() {
		adam = "not in the file: training starts with zeros and warms up again"
	}
	fmt.Fprintf(c.stderr, "%s: %.2f million parameters, step %d\n  averaged weights %s\n  Adam's means %s\n  %s\n",
		c.out, float64(parameters)/1e6, p.Step, average, adam, checksums(checkpoint))
}

// checksums says whether damage to the file would have been noticed.
func checksums(checkpoint *published.Checkpoint) string {
	if checkpoint.HasChecksums() {
		return "checksums in the file agree"
	}
	return "checksums not in the file: there was nothing to check, so damage to it would not have been noticed"
}
