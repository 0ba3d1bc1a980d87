package main

import (
	"github.com/spf13/cobra"

	"mcvd/eval"
)

// newCompare puts reports of evaluations side by side.
func newCompare(*app) *cobra.Command {
	var mixed bool
	cmd := &cobra.Command{
		Use:   "compare REPORT REPORT...",
		Short: "Put reports side by side, with paired tests",
		Long: `Put reports that eval -o or eval merge -o wrote side by side. The others are compared with the first
clip by clip: the mean difference with its 95 % interval by bootstrap over videos, and the
probability p of one as large if the signs of the videos' differences were a matter of chance.

Reports whose numbers don't mean the same are refused: of other clips, counts, tasks, protocols or
data. Runs, checkpoints, samplers and backends may differ, and are shown.`,
		Example: `  mcvd eval runs/tiny --clips 4 -o out/a.json
  mcvd eval runs/tiny --clips 4 --steps 2 -o out/b.json
  mcvd eval compare out/a.json out/b.json`,
		Args: arguments(2, -1, "two reports or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reports := make([]*eval.Report, len(args))
			for i, path := range args {
				var err error
				if reports[i], err = eval.ReadReport(path); err != nil {
					return err
				}
			}
			c, err := eval.Compare(args, reports, mixed)
			if err != nil {
				return err
			}
			return c.WriteText(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&mixed, "mixed", false, "compare also what means something else")
	return cmd
}
