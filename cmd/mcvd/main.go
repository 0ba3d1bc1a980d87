// Command mcvd trains, samples and evaluates masked conditional video diffusion models. This
// package only wires the others together and prints.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mcvd/models/backend"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := newApp(os.Stderr)
	a.restart = restart
	os.Exit(a.run(ctx, os.Args[1:], os.Stdout))
}

// Exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// run executes a command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string, stdout io.Writer) int {
	root := a.root()
	root.SetArgs(args)
	out := &checked{Writer: stdout}
	root.SetOut(out)
	root.SetErr(a.stderr)
	err := cmp.Or(root.ExecuteContext(ctx), out.err)
	if err == nil {
		return 0
	}
	fmt.Fprintln(a.stderr, "mcvd:", strings.TrimRight(err.Error(), "\n"))
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

// checked remembers the first error of a writer, so that no command has to ask whether its lines
// arrived.
type checked struct {
	io.Writer
	err error
}

func (c *checked) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.err = cmp.Or(c.err, err)
	return n, err
}

// root is the program's command.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mcvd",
		Short: "Masked conditional video diffusion: predict, interpolate, generate and retrodict video with one network",
		Long: `Masked conditional video diffusion: predict, interpolate, generate and retrodict video with one
network.

A configuration file says what is learned and from which data. "mcvd train" makes a run folder of
it. The commands that generate and score videos take that folder.`,
		Example: `  mcvd data peek -c configs/tiny.yml -o out/peek.png
  mcvd train -c configs/tiny.yml -o runs/tiny
  mcvd predict runs/tiny --frames 8 -o out/predict
  mcvd interpolate runs/tiny -o out/interpolate
  mcvd eval runs/tiny --clips 4 -o out/report.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q (`mcvd --help` lists them)", args[0])}
			}
			return nil
		},
		RunE:              func(cmd *cobra.Command, args []string) error { return cmd.Help() },
		Version:           about(versions()),
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate("{{.Version}}")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())}
	})
	root.AddCommand(newTrain(a), newPredict(a), newInterpolate(a), newGenerate(a), newRetrodict(a), newEval(a),
		newPlot(a), newImport(a), newExportWeights(a), newBench(a), newConfig(a), newList(a), newData(a), newDoctor(a))
	return root
}

// app is what commands share.
type app struct {
	stderr io.Writer
	log    *slog.Logger
	// restart starts the program again with more in its environment; nil in tests.
	restart func(c backend.Choice, missing []string) error
}

func newApp(stderr io.Writer) *app { return &app{stderr: stderr, log: slog.New(lines{out: stderr})} }

// group is a command that only has subcommands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("unknown command %q for %q (see `%s --help`)", args[0], cmd.CommandPath(), cmd.CommandPath())}
		}
		return cmd.Help()
	}}
	g.AddCommand(commands...)
	return g
}

// arguments accepts min to max arguments; max < 0 is any number.
func arguments(min, max int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < min || max >= 0 && len(args) > max {
			return usageError{fmt.Errorf("%s: %d arguments, want %s (see `%s --help`)", cmd.CommandPath(), len(args), want, cmd.CommandPath())}
		}
		return nil
	}
}

// usagef is an error in how a command was called.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// most is the most that can be asked for of anything counted: more is a slip of the hand, and would
// end in a lack of memory.
const most = 1_000_000

// checkCounts reports the first of the flags that was given with a value out of range.
func checkCounts(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		n, err := cmd.Flags().GetInt(name)
		if err != nil {
			return err
		}
		if cmd.Flags().Changed(name) && (n < 1 || n > most) {
			return usagef("--%s %d: want 1 to %d", name, n, most)
		}
	}
	return nil
}
