package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Every target without cgo compiles, as far as types tell: mcvd's own packages as a whole, and of all
// others what they declare. That takes seconds, where a build takes minutes unless all of it is in
// Go's cache. What only the compiler and the linker find, such as assembly that a processor lacks,
// `make release` finds.
func TestTypesFitOnEveryTarget(t *testing.T) {
	for _, target := range targets {
		if target.xla { // which is what this machine builds
			continue
		}
		t.Run(target.String(), func(t *testing.T) {
			t.Parallel()
			packages, err := list("../..", target)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkTypes(packages, target.arch); err != nil {
				t.Error(err)
			}
		})
	}
}

// A call of what only another system has is found.
func TestTypesThatDoNotFit(t *testing.T) {
	clone := smallClone(t)
	write(t, clone, "cmd/mcvd/clock.go", "package main\n\nimport \"syscall\"\n\nfunc init() { syscall.Uname(nil) }\n")
	for _, c := range []struct {
		target target
		want   string
	}{
		{target{os: "linux", arch: "amd64"}, ""},
		{target{os: "darwin", arch: "arm64"}, "clock.go:5:23: undefined: syscall.Uname"},
	} {
		packages, err := list(clone, c.target)
		if err != nil {
			t.Fatal(err)
		}
		err = checkTypes(packages, c.target.arch)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.target, err, c.want)
		}
	}
}

// checkTypes checks packages that are listed after what they import.
func checkTypes(packages []listed, arch string) error {
	fset := token.NewFileSet()
	parsed := parse(fset, packages)
	done := map[string]*types.Package{"unsafe": types.Unsafe}
	var problems []error
	for i, l := range packages {
		if l.ImportPath == "unsafe" {
			continue
		}
		if parsed[i].err != nil {
			return parsed[i].err
		}
		config := types.Config{
			Importer:         importer{l.ImportMap, done},
			IgnoreFuncBodies: !l.own(),
			Sizes:            types.SizesFor("gc", arch),
			Error:            func(err error) { problems = append(problems, err) },
		}
		done[l.ImportPath], _ = config.Check(l.ImportPath, fset, parsed[i].files, nil) // Error has all of them
	}
	return errors.Join(problems...)
}

// own says whether a package is one of mcvd's.
func (l listed) own() bool { return l.Module != nil && l.Module.Path == "mcvd" }

// An importer finds packages that were checked already.
type importer struct {
	paths map[string]string // of imports that mean another package, as the standard library has them
	done  map[string]*types.Package
}

func (m importer) Import(path string) (*types.Package, error) {
	if other, ok := m.paths[path]; ok {
		path = other
	}
	if p := m.done[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s isn't listed", path)
}

// A result is what the parser made of one package.
type result struct {
	files []*ast.File
	err   error
}

// parse reads the files of all packages, as many at once as there are cores.
func parse(fset *token.FileSet, packages []listed) []result {
	results := make([]result, len(packages))
	var group sync.WaitGroup
	for i, l := range packages {
		group.Go(func() {
			for _, name := range l.GoFiles {
				text, err := os.ReadFile(filepath.Join(l.Dir, name))
				if err != nil {
					results[i].err = err
					return
				}
				file, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), text, parser.SkipObjectResolution)
				if err != nil {
					results[i].err = err
					return
				}
				results[i].files = append(results[i].files, file)
			}
		})
	}
	group.Wait()
	return results
}
