package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"mcvd/data/converted"
)

func newVerify() *cobra.Command {
	jobs := runtime.GOMAXPROCS(0)
	cmd := &cobra.Command{
		Use:   "verify FOLDER",
		Short: "Read all of a store or a cache, and name what is damaged",
		Long: `Read everything in a folder that "mcvd data convert" wrote, or in the cache of a folder of videos,
and compare all checksums. In a folder of videos, the videos themselves are compared, too: damage to
an H.264 file may decode to other frames without an error. Each file, and each frame of a
video, that is damaged or was changed is named in a line. Then the exit status is 1. Nothing is
changed.`,
		Example: `  mcvd data convert configs/tiny.yml out/store --videos 100 --frames 30
  mcvd data verify out/store`,
		Args: arguments(1, 1, "a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			checked, broken, err := converted.Verify(cmd.Context(), args[0], jobs)
			if err != nil {
				return err
			}
			for _, line := range broken {
				fmt.Fprintln(cmd.OutOrStdout(), visible(line))
			}
			what := fmt.Sprintf("%s: %s, %s, %s read", args[0], plural(checked.Files, "file"), plural(checked.Videos, "video"), plural(checked.Frames, "frame"))
			if len(broken) > 0 {
				return fmt.Errorf("%s; %s of damage above: remove files that are damaged and make them anew from their source", what, plural(len(broken), "line"))
			}
			fmt.Fprintln(cmd.OutOrStdout(), what+", nothing damaged")
			return nil
		},
	}
	cmd.Flags().Var(count(&jobs), "jobs", "files to read at a time (default: the machine's cores)")
	return cmd
}
