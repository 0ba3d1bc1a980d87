package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"mcvd/configs/atomicfile"
	"mcvd/eval"
	"mcvd/eval/metric"
)

// newMerge makes the report of an evaluation whose parts several processes made.
func newMerge(a *app) *cobra.Command {
	var flags pageFlags
	cmd := &cobra.Command{
		Use:   "merge RECORDS",
		Short: "Make the report of an evaluation from its records",
		Long: `Make the report of an evaluation from the folder in which eval --records kept its scores. The report
is the same, byte for byte, however many processes made the records. It has no times. A page of it
has no videos, because these need the model: eval report makes one that has.`,
		Example: `  mcvd eval merge out/records -o report.json`,
		Args:    arguments(1, 1, "a folder of records"),
		PreRunE: func(cmd *cobra.Command, args []string) error { return flags.check() },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.prepare("", args[0]); err != nil {
				return err
			}
			archive, err := eval.OpenArchive(args[0])
			if err != nil {
				return err
			}
			report, err := merged(archive)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return flags.print(cmd, report, nil)
		},
	}
	flags.addTo(cmd)
	return cmd
}

// merged is the report of an archive. It has no times, because they would differ each time.
func merged(a *eval.Archive) (*eval.Report, error) {
	parts, err := a.Parts()
	if err != nil {
		return nil, err
	}
	report, err := eval.Sum(a.Header(), parts, metric.Comparisons())
	if err == nil {
		report.SecondsPerClip, report.SecondsPerFrame = 0, 0
	}
	return report, err
}

// reportFlags say where a report goes.
type reportFlags struct {
	out  string
	json bool
}

func (r *reportFlags) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&r.out, "out", "o", "", "also write the report as JSON to this file")
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON instead of tables")
}

// prepare reports, before long work, what writing the report would fail at.
func (r *reportFlags) prepare() error { return prepareFile("--out", r.out) }

// write writes a report to where the flags say.
func (r *reportFlags) write(cmd *cobra.Command, report interface{ WriteText(io.Writer) error }) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	var fileErr error // the numbers are printed all the same
	if r.out != "" {
		fileErr = atomicfile.Write(r.out, func(f *os.File) error {
			_, err := f.Write(text)
			return err
		})
	}
	if r.json {
		_, err = cmd.OutOrStdout().Write(text)
	} else {
		err = report.WriteText(cmd.OutOrStdout())
	}
	return errors.Join(fileErr, err)
}
