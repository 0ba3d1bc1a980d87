// Command scale calculates what training on several ranks costs: it simulates the messages by which ranks
// add up their gradients, and prints how long steps take. docs/scale.md says what it assumes.
//
//	go run ./scripts/scale step -network bair-concat -flops 100e12 -ranks 2,4,8,16
//	go run ./scripts/scale fit -points measured.jsonl -on-ranks 2,4
//	go run ./scripts/scale step -help
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "step":
			return step(args[1:], out)
		case "fit":
			return fit(args[1:], out)
		}
	}
	return errors.New("want step or fit, and then options: scale step -help")
}

// newFlags prints nothing by itself.
func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parse reads options. Where help is asked for, it prints what the command is about, and all options.
func parse(flags *flag.FlagSet, args []string, about string, out io.Writer) error {
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(out, about)
		flags.SetOutput(out)
		flags.PrintDefaults()
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("argument %q, want options only", flags.Arg(0))
	}
	return err
}
