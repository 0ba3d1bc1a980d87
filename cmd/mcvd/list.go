package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/eval"
	"mcvd/eval/metric"
	"mcvd/models"
	"mcvd/models/backend"
	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/mask"
	"mcvd/models/network"
	"mcvd/models/sampler"
	"mcvd/train/optimizer"
)

// kind is something that there are several of to choose from.
type kind struct {
	setting string // in a configuration, or the flag of a command
	names   func() []string
}

// kinds is what there is to choose from.
var kinds = map[string]kind{
	"averages":      {"optimizer.ema", optimizer.Averages},
	"backends":      {"--backend", backend.Names},
	"conditionings": {"model.options.conditioning", network.Conditionings},
	"datasets":      {"data.name", data.Names},
	"distillations": {"train.distillation", models.Distillations},
	"frame-levels":  {"diffusion.frame_levels", diffusion.FrameSpreads},
	"guidance":      {"sampler.guidance.name", guidance.Names},
	"levels":        {"diffusion.levels", diffusion.Spreads},
	"losses":        {"diffusion.loss", diffusion.Losses},
	"masks":         {"frames.mask.kind", mask.Kinds},
	"metrics":       {"eval --metrics", metric.Names},
	"networks":      {"model.network", network.Names},
	"optimizers":    {"optimizer.name", optimizer.Names},
	"protocols":     {"eval --protocol", eval.ProtocolNames},
	"rates":         {"optimizer.schedule", optimizer.Rates},
	"samplers":      {"sampler.name", sampler.Names},
	"schedules":     {"diffusion.schedule", diffusion.Schedules},
	"spacings":      {"sampler.spacing", sampler.Spacings},
	"targets":       {"diffusion.target", diffusion.Targets},
	"tasks":         {"eval --task", eval.TaskNames},
	"times":         {"frames.times.kind", data.Timings},
	"variances":     {"diffusion.variance", diffusion.Variances},
	"weights":       {"diffusion.weight", diffusion.Weights},
	"windows":       {"--windows", eval.WindowNames},
}

func newList(*app) *cobra.Command {
	var asJSON bool
	all := strings.Join(configs.Names(kinds), "|")
	cmd := &cobra.Command{
		Use:   "list [" + all + "]",
		Short: "List what there is to choose from, such as samplers and data sets",
		Long: `List what there is to choose from, such as samplers and data sets, and the setting or the flag that
chooses it.`,
		Example: "  mcvd list\n  mcvd list samplers --json",
		Args:    arguments(0, 1, all+" or none"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && kinds[args[0]].names == nil {
				return fmt.Errorf("%s: want one of %s", args[0], strings.Join(configs.Names(kinds), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			shown := configs.Names(kinds)
			if len(args) == 1 {
				shown = args
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), shown)
			}
			return writeKinds(cmd.OutOrStdout(), shown)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object: for each kind what chooses it, and its names")
	return cmd
}

// listed is a kind in JSON.
type listed struct {
	ChosenBy string   `json:"chosen_by"`
	Names    []string `json:"names"`
}

// writeJSON prints the kinds as JSON, with all that the table has.
func writeJSON(out io.Writer, shown []string) error {
	all := map[string]listed{}
	for _, k := range shown {
		all[k] = listed{kinds[k].setting, kinds[k].names()}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

// writeKinds prints the kinds as a table, and where to read on.
func writeKinds(out io.Writer, shown []string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tCHOSEN BY\tNAMES")
	for _, k := range shown {
		fmt.Fprintf(w, "%s\t%s\t%s\n", k, kinds[k].setting, strings.Join(kinds[k].names(), " "))
	}
	fmt.Fprint(w, `
Words with dots are settings, which "mcvd config reference" explains, with the options of each name.
Words with -- are flags, which "mcvd COMMAND --help" explains. docs/data.md is about data sets.
`)
	return w.Flush()
}
