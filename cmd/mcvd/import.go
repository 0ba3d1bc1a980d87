package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mcvd/configs"
	publishedconfig "mcvd/configs/published"
	"mcvd/models"
	"mcvd/models/backend"
	"mcvd/models/published"
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
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&c.config, "config", "c", "", "configuration file, in the published schema or in this project's")
	f.StringVarP(&c.out, "out", "o", "", "run folder")
	f.StringArrayVar(&c.set, "set", nil, "override a setting, such as data.path=clips/; may be repeated")
	return cmd
}

func (c *importCommand) run(path string) error {
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
	m, err := models.New(config)
	if err != nil {
		return err
	}
	b, err := backend.Open("go") // only to lay out the network
	if err != nil {
		return err
	}
	defer b.Finalize()
	weights, err := m.Weights(b)
	if err != nil {
		return err
	}
	if err := checkpoint.CheckSchedule(m.Schedule); err != nil {
		return err
	}
	entries, err := checkpoint.Entries(weights)
	if err != nil {
		return err
	}
	progress, err := train.ReadProgress(path, checkpoint.Metadata)
	if err != nil {
		return err
	}
	progress.Step = cmp.Or(progress.Step, checkpoint.Step)
	if !checkpoint.HasAdam() {
		progress.Updates = 0
	} else if checkpoint.Updates > 0 {
		progress.Updates = checkpoint.Updates
	}
	if err := train.Create(c.out, config, progress, entries, os.Args, versions()); err != nil {
		return err
	}
	c.report(checkpoint, weights, progress)
	return nil
}

// load reads the configuration: the file of --config in either schema, or what the weights' file says.
func (c *importCommand) load(path string, checkpoint *published.Checkpoint) (*configs.Config, error) {
	if c.config == "" {
		text, ok := checkpoint.Metadata[train.ConfigKey]
		if !ok {
			return nil, usagef("%s: says nothing of its configuration: give --config FILE", path)
		}
		return configs.Parse(path+": "+train.ConfigKey, []byte(text), c.set...)
	}
	text, err := configs.ReadFile(c.config)
	if err != nil {
		return nil, err
	}
	if !publishedconfig.Is(text) {
		return configs.Load(c.config, c.set...)
	}
	config, notes, err := publishedconfig.Config(c.config, text)
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		c.log.Info(c.config + ": " + note)
	}
	return configs.Parse(c.config+", translated", config.YAML(), c.set...)
}

// report says on stderr what was imported.
func (c *importCommand) report(checkpoint *published.Checkpoint, weights []models.Weight, p train.Progress) {
	parameters := 0
	for _, w := range weights {
		n := 1
		for _, d := range w.Shape {
			n *= d
		}
		parameters += n
	}
	average, adam := "in the file", "in the file"
	if !checkpoint.HasEMA() {
		average = "not in the file: the weights themselves"
	}
	if !checkpoint.HasAdam() {
		adam = "not in the file: training starts with zeros and warms up again"
	}
	fmt.Fprintf(c.stderr, "%s: %.2f million parameters, step %d\n  averaged weights %s\n  Adam's means %s\n",
		c.out, float64(parameters)/1e6, p.Step, average, adam)
}
