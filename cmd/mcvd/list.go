package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/eval"
	"mcvd/eval/metric"
	"mcvd/models/backend"
	"mcvd/models/diffusion"
	"mcvd/models/network"
	"mcvd/models/sampler"
	"mcvd/train/optimizer"
)

// lists is what there is to choose from, by kind.
var lists = map[string]func() []string{
	"backends":      backend.Names,
	"conditionings": network.Conditionings,
	"datasets":      data.Names,
	"losses":        diffusion.Losses,
	"metrics":       metric.Names,
	"averages":      optimizer.Averages,
	"networks":      network.Names,
	"optimizers":    optimizer.Names,
	"rates":         optimizer.Rates,
	"samplers":      sampler.Names,
	"levels":        diffusion.Spreads,
	"schedules":     diffusion.Schedules,
	"spacings":      sampler.Spacings,
	"targets":       diffusion.Targets,
	"weights":       diffusion.Weights,
	"tasks":         eval.TaskNames,
	"windows":       eval.WindowNames,
}

func newList(*app) *cobra.Command {
	var asJSON bool
	kinds := strings.Join(configs.Names(lists), "|")
	cmd := &cobra.Command{
		Use:     "list [" + kinds + "]",
		Short:   "List the samplers, networks, data sets, metrics and schedules there are",
		Example: "  mcvd list\n  mcvd list samplers --json",
		Args:    arguments(0, 1, kinds+" or none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			shown := map[string][]string{}
			for _, kind := range configs.Names(lists) {
				if len(args) == 0 || args[0] == kind {
					shown[kind] = lists[kind]()
				}
			}
			if len(shown) == 0 {
				return usagef("list: unknown %q (known: %s)", args[0], strings.Join(configs.Names(lists), ", "))
			}
			out := cmd.OutOrStdout()
			if asJSON {
				text, err := json.MarshalIndent(shown, "", "  ")
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(out, "%s\n", text)
				return err
			}
			for _, kind := range configs.Names(shown) {
				fmt.Fprintf(out, "%-13s %s\n", kind, strings.Join(shown[kind], " "))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
