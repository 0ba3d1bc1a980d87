package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/models/published/schema"
)

func newConfigTranslate(a *app) *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:   "translate FILE",
		Short: "Print a configuration of the published PyTorch code as one of this project",
		Long: `Print a configuration in the YAML schema of the published PyTorch code as one of this project, with
all settings. stderr says what has no counterpart here and what had to be decided. docs/published.md
says what becomes of each setting.`,
		Example: "  mcvd config translate config.yml > experiment.yml",
		Args:    arguments(1, 1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := configs.ReadFile(args[0])
			if err != nil {
				return err
			}
			if !schema.Is(text) {
				return fmt.Errorf("%s: not in the published schema, which has sections such as training and sampling", args[0])
			}
			c, err := translate(args[0], text, set, a.log)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(c.YAML())
			return err
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "override a setting of this project, such as data.path=clips/; may be repeated")
	return cmd
}

// translate reads a configuration in the published schema, and logs what was decided.
func translate(path string, text []byte, set []string, log *slog.Logger) (*configs.Config, error) {
	c, notes, err := schema.Translate(path, text)
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		log.Info(path + ": " + note)
	}
	return experiment.Parse(path+", translated", c.YAML(), set...)
}
