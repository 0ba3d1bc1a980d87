package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend"
	"mcvd/models/published"
	"mcvd/models/published/schema"
	"mcvd/models/weights"
	"mcvd/train"
)

// importCommand makes a run folder of weights from elsewhere.
type importCommand struct {
	*app
	config, out string
	set         []string
}

func newImport(a *app) *cobra.Command {
	c := &importCommand{app: a}
	cmd := &cobra.Command{
		Use:   "import CHECKPOINT",
		Short: "Make a run folder of weights from elsewhere",
		Long: `Make a run folder of a checkpoint of the published PyTorch code, of a state dict that torch.save wrote, or of a safetensors file with
a state dict; by the published names or by those of this project. "mcvd predict" then samples, "mcvd train" goes on training.

The configuration may be in the published schema or in this project's; a file that "mcvd export" wrote has its own. Names and shapes
must be exactly the configuration's. A checkpoint without averaged weights is given its weights for them; one without Adam's state starts
with zeros and warms up again. Nothing in a file is executed. docs/published.md says what becomes of each setting and each name.`,
		Example: `  mcvd import checkpoint.pt --config config.yml -o runs/published
  mcvd import model.safetensors -o runs/copy`,
		Args: arguments(1, 1, "a checkpoint"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&c.config, "config", "c", "", "configuration file, in the published schema or in this project's")
	f.StringVarP(&c.out, "out", "o", "", "run folder")
	f.StringArrayVar(&c.set, "set", nil, "override a setting, such as data.path=clips/; may be repeated")
	return cmd
}

func (c *importCommand) run(ctx context.Context, path string) error {
	if c.out == "" {
		return usagef("no run folder: give --out DIR")
	}
	if err := train.CheckNew(c.out); err != nil {
		return err
	}
	checkpoint, err := published.Open(path)
	if err != nil {
		return err
	}
	defer checkpoint.Close()
	config, err := c.load(path, checkpoint)
	if err != nil {
		return err
	}
	if err := checkNames(cmp.Or(c.config, path), config); err != nil {
		return err
	}
	progress, err := progressOf(path, checkpoint)
	if err != nil {
		return err
	}
	m, l, err := layOut(config)
	if err != nil {
		return err
	}
	if err := checkpoint.CheckSchedule(m.Schedule); err != nil {
		return err
	}
	entries, err := checkpoint.Entries(l)
	if err != nil {
		return err
	}
	if err := train.Create(c.out, config, progress, stopping(ctx, entries), os.Args, versions()); err != nil {
		return err
	}
	c.report(checkpoint, l.Weights, progress)
	if progress.Step >= config.Train.Steps {
		c.log.Warn(fmt.Sprintf("training is over at train.steps, which is %d: to go on, mcvd train %s --set train.steps=%d, say", config.Train.Steps, c.out, progress.Step+1000))
	}
	return nil
}

// layOut makes the model and lists its layers and weights.
func layOut(config *configs.Config) (*models.Model, models.Listing, error) {
	m, err := models.New(config)
	if err != nil {
		return nil, models.Listing{}, err
	}
	b, err := backend.Open("go") // any would do: nothing is run
	if err != nil {
		return nil, models.Listing{}, err
	}
	defer b.Finalize()
	l, err := m.List(b)
	return m, l, err
}

// progressOf is where training goes on: with Adam's state, warm-up and bias correction do, too.
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

// stopping makes the writing of entries end with ctx, between two tensors.
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

// load reads the configuration: that of --config, or what the weights' file says. Where they differ, shapes may be the same all the same.
func (c *importCommand) load(path string, checkpoint *published.Checkpoint) (*configs.Config, error) {
	text, ok := checkpoint.Metadata[train.ConfigKey]
	if !ok && c.config == "" {
		return nil, usagef("%s: says nothing of its configuration: give --config FILE", path)
	}
	if !ok {
		return c.loadFile()
	}
	name := path + ": " + train.ConfigKey
	own, err := configs.Parse(name, []byte(text))
	if err != nil {
		return nil, err
	}
	config := own
	if c.config != "" {
		config, err = c.loadFile()
	} else if len(c.set) > 0 {
		config, err = configs.Parse(name, []byte(text), c.set...)
	}
	if err != nil {
		return nil, err
	}
	for _, difference := range train.Differences(own, config) {
		c.log.Warn("these weights were trained with another setting", "file", path, "difference", difference)
	}
	return config, nil
}

// loadFile reads the file of --config.
func (c *importCommand) loadFile() (*configs.Config, error) {
	text, err := configs.ReadFile(c.config)
	if err != nil {
		return nil, err
	}
	if !schema.Is(text) {
		return configs.Load(c.config, c.set...)
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
