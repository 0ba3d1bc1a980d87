package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A part of a program has licences of its own: a module, or Go's standard library, which is "std".
type part struct {
	path, version string
	root          string          // its folder
	packages      map[string]bool // import paths of those that are linked
	folders       map[string]bool // of these packages and of files that are embedded, below root, with slashes
}

// String names the part in errors and above its texts. The program itself has no version here.
func (p *part) String() string { return strings.TrimSpace(p.path + " " + p.version) }

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Dir, Root string
	Standard              bool
	Module                *struct{ Path, Version, Dir string }
	Imports               []string
	ImportMap             map[string]string
	GoFiles, EmbedFiles   []string
}

// list lists the packages that mcvd is made of for a target, each after those that it imports.
func list(clone string, t target) ([]listed, error) {
	out, err := command(clone, t.environment(), "go", "list", "-deps", "-mod=readonly", "-tags=",
		"-json=ImportPath,Dir,Root,Standard,Module,Imports,ImportMap,GoFiles,EmbedFiles", "./cmd/mcvd")
	if err != nil {
		return nil, err
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(out)); ; {
		var one listed
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
}

// linked joins what is linked for the targets, in the order of the modules' paths.
func linked(clone string, targets []target) ([]*part, error) {
	goVersion, err := command(clone, targets[0].environment(), "go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	parts := map[string]*part{}
	for _, t := range targets {
		packages, err := list(clone, t)
		if err != nil {
			return nil, err
		}
		for _, l := range packages {
			if l.ImportPath == "unsafe" { // no code
				continue
			}
			p := &part{path: "std", version: strings.TrimSpace(goVersion), root: l.Root}
			if l.Module != nil {
				p = &part{path: l.Module.Path, version: l.Module.Version, root: l.Module.Dir}
			}
			if parts[p.path] == nil {
				p.packages, p.folders = map[string]bool{}, map[string]bool{}
				parts[p.path] = p
			}
			if err := parts[p.path].add(l); err != nil {
				return nil, err
			}
		}
	}
	return slices.SortedFunc(maps.Values(parts), func(a, b *part) int { return cmp.Compare(a.path, b.path) }), nil
}

// add adds a package of the part.
func (p *part) add(l listed) error {
	folder, err := filepath.Rel(p.root, l.Dir)
	if err != nil {
		return err
	}
	folder = filepath.ToSlash(folder)
	p.packages[l.ImportPath] = true
	p.folders[folder] = true
	for _, file := range l.EmbedFiles {
		p.folders[path.Join(folder, path.Dir(filepath.ToSlash(file)))] = true
	}
	return nil
}
