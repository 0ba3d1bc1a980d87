package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/models"
	"mcvd/models/sampler"
	"mcvd/train"
)

func newConfig(a *app) *cobra.Command {
	return group("config", "Check, show and explain configurations", newConfigCheck(), newConfigShow(), newConfigReference(), newConfigSchema(), newConfigTranslate(a))
}

// catalogue lists what has options of its own.
func catalogue() configs.Catalogue { return append(train.OptimizerOptions(), data.Options()) }

// loadConfig reads a configuration and checks every name in it.
func loadConfig(path string, set []string) (*configs.Config, error) {
	c, err := configs.Load(path, set...)
	if err != nil {
		return nil, err
	}
	return c, checkNames(path, c)
}

// checkNames reports all names that no table has.
func checkNames(path string, c *configs.Config) error {
	_, samplerErr := sampler.New(c.Sampler)
	_, modelErr := models.New(c)
	err := errors.Join(data.Check(c), modelErr, samplerErr, train.CheckOptimizer(c))
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, path+":") { // which some say themselves, with a line and a column
			lines[i] = path + ": " + line
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

func newConfigCheck() *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:     "check FILE...",
		Short:   "Report what is wrong with configurations: first keys and types, then ranges, then names",
		Example: "  mcvd config check configs/*.yml",
		Args:    arguments(1, -1, "one file or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, path := range args {
				if _, err := loadConfig(path, set); err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", path)
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "override a setting, such as model.width=32; may be repeated")
	return cmd
}

func newConfigShow() *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Print a configuration with its defaults and bases filled in",
		Example: "  mcvd config show configs/tiny.yml --set model.width=16",
		Args:    arguments(1, 1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(args[0], set)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(c.YAML(data.Unused(c)...))
			return err
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "override a setting, such as model.width=32; may be repeated")
	return cmd
}

func newConfigReference() *cobra.Command {
	return &cobra.Command{
		Use:     "reference",
		Short:   "Print every setting with its type, default and meaning",
		Example: "  mcvd config reference",
		Args:    arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), catalogue().Reference())
			return err
		},
	}
}

func newConfigSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON schema of configurations, for editors",
		Example: "  mcvd config schema > mcvd.schema.json",
		Args:    arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := catalogue().Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		},
	}
}
