package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"mcvd/models/backend"
)

const (
	backendVariable = "MCVD_BACKEND" // the default of --backend
	restartVariable = "MCVD_REEXEC"  // off: never start again; otherwise the process that has
)

// backendFlag adds --backend.
func backendFlag(cmd *cobra.Command, name *string) {
	*name = cmp.Or(os.Getenv(backendVariable), "auto")
	cmd.Flags().Var(text{name, backend.Check}, "backend", "what runs the network: "+
		strings.Join(backend.Names(), ", ")+", or GoMLX's own string; "+backendVariable+" changes the default")
}

// openBackend opens the named backend, which the caller finalizes, and says which it is. Before it,
// a command may only read, because it may start the program again.
func (a *app) openBackend(name string) (compute.Backend, backend.Choice, error) {
	c, err := backend.Choose(name)
	if err != nil && name == os.Getenv(backendVariable) {
		return nil, c, fmt.Errorf("%w (%s is %s)", err, backendVariable, name)
	}
	if err != nil {
		return nil, c, err
	}
	if missing := c.Environ(); len(missing) > 0 && a.restart != nil {
		if err := a.restart(c, missing); err != nil {
			a.log.Warn("the program can't start itself again in the environment that XLA wants, and goes on without: " + err.Error())
		}
	}
	if c.Why != "" {
		a.log.Info(fmt.Sprintf("backend: %s (%s)", c.Name, c.Why))
	}
	if c.Name == "go" && backend.SlowBuild != "" {
		a.log.Warn(backend.SlowBuild)
	}
	b, err := c.Open()
	if err == nil && c.Plugin != "" {
		a.log.Info("XLA compiles a program when it is first used, for seconds to a minute, unless it has done so before; --backend go starts at once, for small things")
	}
	return b, c, err
}

// restart replaces the process by the same program with the same arguments and more variables in
// its environment. It happens once. It returns if it is switched off, was done before, or can't be
// done.
func restart(c backend.Choice, missing []string) error {
	self := strconv.Itoa(os.Getpid()) // stays the same; what the process starts has another
	if done := os.Getenv(restartVariable); done == "off" || done == self {
		return nil
	}
	if err := c.Prepare(); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(program, os.Args, withVariables(os.Environ(), append(missing, restartVariable+"="+self)))
}

// withVariables is an environment in which some variables have new values.
func withVariables(environ, variables []string) []string {
	set := func(old string) bool {
		name, _, _ := strings.Cut(old, "=")
		return slices.ContainsFunc(variables, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	return append(slices.DeleteFunc(slices.Clone(environ), set), variables...)
}
