package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcvd/data/video"
	"mcvd/models/backend"
	"mcvd/train/ranks"
)

func newDoctor(*app) *cobra.Command {
	var open string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Report what is installed, what is missing, and how to install it",
		Long: `Report what is installed, what is missing, and how to install it.

Each backend is opened in a process of its own. The exit status is 1 if ffmpeg is missing or
something is broken. A backend that is just not installed is no failure. Of a plugin of XLA, it says
which kernels of mcvd it has, or why none.`,
		Example: "  mcvd doctor",
		Args:    arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if open != "" {
				return describe(cmd.OutOrStdout(), open)
			}
			return examine(cmd)
		},
	}
	cmd.Flags().StringVar(&open, "open", "", "only open this backend and say what it is")
	if err := cmd.Flags().MarkHidden("open"); err != nil {
		panic(err)
	}
	return cmd
}

// findings prints what was found, and counts what is missing.
type findings struct {
	out     io.Writer
	missing int
}

func (f *findings) say(what, state string, err error) {
	if err != nil {
		f.missing++
		state = "MISSING: " + err.Error()
	}
	fmt.Fprintf(f.out, "%-12s %s\n", what, state)
}

func examine(cmd *cobra.Command) error {
	f := &findings{out: cmd.OutOrStdout()}
	v := versions()
	f.say("mcvd", commit(v)+", built with "+v["go"]+" for "+v["platform"], nil)
	f.say("cores", fmt.Sprint(runtime.GOMAXPROCS(0)), nil)
	f.backends(cmd.Context())
	if backend.SlowBuild != "" {
		f.say("speed", backend.SlowBuild, nil)
	} else {
		f.say("speed", "matrix products use vector instructions where the CPU has them", nil)
	}
	for _, tool := range []string{"ffmpeg", "ffprobe"} {
		version, err := video.ToolVersion(cmd.Context(), tool)
		f.say(tool, version, err)
	}
	if mpirun, ok := ranks.Mpirun(); ok {
		f.say("mpi", mpirun+" starts several processes that train together", nil)
	} else {
		f.say("mpi", "not here: scripts/install-mpi.sh installs one, for several processes that train together", nil)
	}
	if f.missing > 0 {
		return fmt.Errorf("doctor: %d missing", f.missing)
	}
	return nil
}

func (f *findings) backends(ctx context.Context) {
	for _, name := range slices.DeleteFunc(backend.Names(), func(name string) bool { return name == "auto" }) {
		c, err := backend.Choose(name)
		if absent := (backend.Absent{}); errors.As(err, &absent) {
			f.say(name, "not here: "+strings.TrimPrefix(err.Error(), "--backend "+name+": "), nil)
			continue
		}
		state := ""
		if err == nil {
			state, err = openElsewhere(ctx, c)
		}
		f.say(name, state, err)
		if missing := c.Missing(); len(missing) > 0 {
			f.say("", "not found: "+strings.Join(missing, ", ")+"; libcuda comes with the driver, the others by scripts/install-xla.sh cuda13", nil)
		}
		if environ := c.Environ(); len(environ) > 0 {
			f.say("", "started again with "+strings.Join(environ, " ")+" ("+restartVariable+"=off prevents it)", nil)
		}
	}
	c, err := backend.Choose("auto")
	f.say("auto", "takes "+c.Name+" ("+c.Why+")", err)
	if name := os.Getenv(backendVariable); name != "" {
		_, err := backend.Choose(name)
		f.say(backendVariable, "commands without --backend take "+name, err)
	}
}

// openElsewhere opens a backend in a process of its own and says what it is, because a library that
// does not fit can end a process.
func openElsewhere(ctx context.Context, c backend.Choice) (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	if err := c.Prepare(); err != nil {
		return "", err
	}
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "doctor", "--open", c.Name)
	cmd.Env = os.Environ()
	if os.Getenv(restartVariable) != "off" {
		cmd.Env = withVariables(cmd.Env, c.Environ())
	}
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); ctx.Err() != nil {
		return "", fmt.Errorf("does not open within %v", patience)
	} else if err != nil {
		return "", fmt.Errorf("%v: %s", err, told(stderr.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// told is what a failed process reported: its own error, or else its first line, without the line
// that XLA prints before its log.
func told(stderr string) string {
	first := ""
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if own, ok := strings.CutPrefix(line, "mcvd: "); ok {
			return own
		}
		if first == "" && !strings.HasPrefix(line, "WARNING: All log messages before") {
			first = line
		}
	}
	return first
}

func describe(out io.Writer, name string) error {
	c, err := backend.Choose(name)
	if err != nil {
		return err
	}
	b, err := c.Open()
	if err != nil {
		return err
	}
	defer b.Finalize()
	state, err := c.Describe(b)
	fmt.Fprintln(out, state)
	return err
}
