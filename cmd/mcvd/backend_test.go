package main

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/spf13/cobra"

	"mcvd/models/backend/backendtest"
)

// asProgram, in the environment of what tests start, makes the test binary the program itself.
const asProgram = "MCVD_TEST_AS_PROGRAM"

// Tests run on the backend that tests run on, whatever is installed.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	if err := errors.Join(os.Setenv(backendVariable, backendtest.Name()), os.Setenv(asProgram, "1")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// run executes a command line in this process, which is never replaced.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return newApp(stderr).run(ctx, args, stdout)
}

func newRoot(stderr io.Writer) *cobra.Command { return newApp(stderr).root() }
