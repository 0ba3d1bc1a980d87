package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// libraries are the modules whose versions results depend on.
var libraries = []string{"github.com/gomlx/gomlx", "github.com/gomlx/compute", "github.com/gomlx/go-xla"}

// unknownCommit is the commit of a program that Go didn't stamp: one built outside of a clone,
// without git, or with -buildvcs=false (which may come from GOFLAGS or `go env -w`). `make build`
// stamps it wherever git works.
const unknownCommit = "unknown"

// versions lists what a result was made with.
func versions() map[string]string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionsOf(info)
}

func versionsOf(info *debug.BuildInfo) map[string]string {
	v := map[string]string{"mcvd": cmp.Or(info.Main.Version, "(devel)"), "vcs.revision": unknownCommit,
		"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision", "vcs.modified", "GOEXPERIMENT":
			v[s.Key] = s.Value
		}
	}
	for _, m := range info.Deps {
		for _, library := range libraries {
			if m.Path == library {
				v[library] = m.Version
			}
		}
	}
	return v
}

// commit says which commit a program was built from, and whether files were changed since.
func commit(versions map[string]string) string {
	switch {
	case versions["vcs.revision"] == unknownCommit:
		return "unknown commit (Go didn't stamp it; `make build` in a clone does)"
	case versions["vcs.modified"] == "true":
		return "commit " + versions["vcs.revision"] + ", modified"
	}
	return "commit " + versions["vcs.revision"]
}

// about is what --version prints.
func about(versions map[string]string) string {
	lines := []string{"mcvd " + versions["mcvd"], commit(versions),
		fmt.Sprintf("built with %s for %s", versions["go"], versions["platform"])}
	for _, library := range libraries {
		lines = append(lines, library+" "+cmp.Or(versions[library], "not linked"))
	}
	return strings.Join(lines, "\n") + "\n"
}
