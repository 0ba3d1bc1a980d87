package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mcvd/configs/experiment"
)

func newConfig(a *app) *cobra.Command {
	return group("config", "Check, show and explain configurations", newConfigCheck(), newConfigShow(), newConfigReference(), newConfigSchema(), newConfigTranslate(a))
}

func newConfigCheck() *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Report what is wrong with configurations",
		Long: `Report what is wrong with configurations, with file and line. Unknown keys, types and names are
reported first; once they are right, values out of range, and then settings that don't fit together.`,
		Example: "  mcvd config check configs/*.yml",
		Args:    arguments(1, -1, "one file or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, path := range args {
				if _, err := experiment.Load(path, set...); err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", path)
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "override a setting, such as model.options.width=32; may be repeated")
	return cmd
}

func newConfigShow() *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Print a configuration with its defaults and bases filled in",
		Example: "  mcvd config show configs/tiny.yml --set model.options.width=16",
		Args:    arguments(1, 1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := experiment.Load(args[0], set...)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(c.YAML())
			return err
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "override a setting, such as model.options.width=32; may be repeated")
	return cmd
}

func newConfigReference() *cobra.Command {
	return &cobra.Command{
		Use:     "reference",
		Short:   "Print every setting with its type, default and meaning",
		Example: "  mcvd config reference",
		Args:    arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), experiment.Reference())
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
			text, err := experiment.Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		},
	}
}
