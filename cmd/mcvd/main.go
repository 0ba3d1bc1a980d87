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
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/models/backend"
	"mcvd/train"
	"mcvd/train/ranks"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if _, _, _, ok := ranks.Started(os.Getenv); !ok { // mpirun may pass on what its processes have got already
		context.AfterFunc(ctx, stop) // a second signal ends the process at once
	}
	a := newApp(os.Stderr)
	slog.SetDefault(a.log) // for what is noticed below the commands, such as by xlakernels
	a.restart = restart
	os.Exit(a.run(ctx, os.Args[1:], os.Stdout))
}

// Exit statuses. A mistake that the command line shows by itself, whatever lies in files and on the
// machine, is exitUsage: see [markUsage]. A command that SIGINT or SIGTERM ended is exitStopped, the
// number of sysexits.h for "try again later": the same command goes on, or begins anew. A training that
// hung, or lost one of its processes, is exitHung, the number for "input/output error": the same command goes
// on, but may hang again.
// Everything else is exitFailure.
const (
	exitFailure = 1
	exitUsage   = 2
	exitHung    = 74
	exitStopped = 75
)

// run executes a command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string, stdout io.Writer) int {
	root := a.root()
	root.SetArgs(args)
	results := &shown{out: stdout, plain: harmless}
	out := &checked{Writer: results}
	root.SetOut(out)
	root.SetErr(a.stderr)
	err := cmp.Or(root.ExecuteContext(ctx), out.err, results.Flush())
	status := statusOf(ctx, err)
	if err != nil && !a.ranks.Told(err) {
		fmt.Fprintln(a.stderr, "mcvd:", strings.TrimRight(err.Error(), "\n"))
	}
	a.ranks.Leave(err, status)
	return status
}

// statusOf is the exit status of a command that ended with err.
func statusOf(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	if errors.As(err, new(usageError)) || errors.As(err, new(configs.OverrideError)) {
		return exitUsage
	}
	other := ranks.CantGoOnError{}
	if errors.Is(err, train.ErrHangs) || errors.Is(err, ranks.ErrSilent) || errors.As(err, &other) && other.Status == exitHung {
		return exitHung
	}
	if errors.Is(err, train.ErrStopped) { // also where another rank was told to
		return exitStopped
	}
	if ctx.Err() != nil && (errors.As(err, new(*ranks.AgreedError)) || errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return exitStopped
	}
	return exitFailure
}

// usageError is a mistake in the command line.
type usageError struct{ error }

// markUsage makes usage errors of what a command finds wrong before it runs: in its arguments (Args),
// its flags (the types in flags.go), and in what these say together (PreRunE). These see the command
// line and nothing else. A command that runs (RunE) opens files, and returns failures.
func markUsage(cmd *cobra.Command) {
	mark := func(check func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
		if check == nil {
			return nil
		}
		return func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	cmd.Args, cmd.PreRunE = mark(cmd.Args), mark(cmd.PreRunE)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{flagError(cmd, err)} })
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}

// checked remembers the first error of a writer, so commands need not check each line.
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
		Args:              known,
		RunE:              func(cmd *cobra.Command, args []string) error { return cmd.Help() },
		Version:           about(versions()),
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error { return a.begin(cmd, os.Getenv) },
		SilenceUsage:      true,
		SilenceErrors:     true,
	}
	root.SetVersionTemplate("{{.Version}}")
	root.AddCommand(newTrain(a), newDistill(a), newPredict(a), newInterpolate(a), newGenerate(a), newRetrodict(a), newEval(a),
		newSamplePlan(a), newPoints(a), newBits(a), newWatch(a), newPlot(a), newReport(a), newImport(a), newExportWeights(a), newBench(a), newConfig(a), newList(a), newData(a),
		newWindows(), newWeights(a), newDoctor(a))
	markUsage(root)
	return root
}

// app is what commands share.
type app struct {
	stderr *shown
	log    *slog.Logger
	ranks  *ranks.Ranks // nil if this process was started alone, or has not joined the others
	// restart starts the program again with more in its environment; nil in tests.
	restart func(c backend.Choice, missing []string) error
}

func newApp(stderr io.Writer) *app {
	messages := &shown{out: stderr, plain: unicode.IsPrint}
	return &app{stderr: messages, log: slog.New(lines{out: messages})}
}

// group is a command that only has subcommands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: known, RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() }}
	g.AddCommand(commands...)
	return g
}

// known refuses arguments of a command that only has subcommands: the first is none of them. Those
// that it may have been meant for are named.
func known(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	meant := ""
	if near := cmd.SuggestionsFor(args[0]); args[0] != "" && len(near) > 0 {
		meant = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q%s (`%s --help` lists them)", args[0], cmd.CommandPath(), meant, cmd.CommandPath())
}

// arguments accepts min to max arguments; max < 0 is any number.
func arguments(min, max int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < min || max >= 0 && len(args) > max {
			return fmt.Errorf("%s: %s, want %s (see `%s --help`)", cmd.CommandPath(), plural(len(args), "argument"), want, cmd.CommandPath())
		}
		if slices.Contains(args, "") {
			return fmt.Errorf("%s: an empty argument, want %s (see `%s --help`)", cmd.CommandPath(), want, cmd.CommandPath())
		}
		return nil
	}
}

// plural is so many things.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprint(n, " ", thing)
}
