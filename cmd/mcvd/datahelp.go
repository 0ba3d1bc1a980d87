package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/data"
)

func newDataHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [NAME]",
		Short:   "Say where a data set comes from, its licence, its layout on disk and its splits",
		Long:    "Without a name, list the data sets. mcvd itself downloads no data.",
		Example: "  mcvd data help\n  mcvd data help shards",
		Args:    arguments(0, 1, "a data set, or none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				text, err := data.Help(args[0])
				if err != nil {
					return err
				}
				fmt.Fprint(cmd.OutOrStdout(), text)
				return nil
			}
			for _, name := range data.Names() {
				text, err := data.Help(name)
				if err != nil {
					return err
				}
				summary, _, _ := strings.Cut(text, ":")
				fmt.Fprintf(cmd.OutOrStdout(), "%-10s %s\n", name, summary)
			}
			return nil
		},
	}
}
