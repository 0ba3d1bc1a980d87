package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/data/video"
	"mcvd/models/backend"
)

func newDoctor(*app) *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		Short:   "Say what is there, what is missing, and what to do about it",
		Example: "  mcvd doctor",
		Args:    arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			missing := 0
			say := func(what, state string, err error) {
				if err != nil {
					missing++
					state = "MISSING: " + err.Error()
				}
				fmt.Fprintf(out, "%-12s %s\n", what, state)
			}
			about := versions()
			say("mcvd", strings.TrimSpace(about["vcs.revision"]+" built with "+about["go"]+" for "+about["platform"]), nil)
			say("cores", fmt.Sprint(runtime.GOMAXPROCS(0)), nil)
			for _, name := range backend.Names() {
				b, err := backend.Open(name)
				state := ""
				if err == nil {
					state = b.Description()
					b.Finalize()
				}
				say("backend "+name, state, err)
			}
			if backend.SlowBuild != "" {
				say("speed", backend.SlowBuild, nil)
			} else {
				say("speed", "matrix products use vector instructions where the CPU has them", nil)
			}
			for _, tool := range []string{"ffmpeg", "ffprobe"} {
				version, err := video.ToolVersion(cmd.Context(), tool)
				say(tool, version, err)
			}
			if missing > 0 {
				return fmt.Errorf("doctor: %d missing", missing)
			}
			return nil
		},
	}
}
