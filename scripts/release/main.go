// Command release builds what a release consists of into dist: mcvd for each system, the licences of
// what is linked into them, and SHA256SUMS. The version is that of the git tag. The same commit gives
// the same bytes in any folder; docs/releases.md says under which conditions.
//
// Call from the top of a clone:
//
//	make release
//	go run ./scripts/release licences   # prints the licences only
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		return release(".", targets)
	case slices.Equal(args, []string{"licences"}):
		text, err := licences(".", targets)
		if err == nil {
			_, err = os.Stdout.Write(text)
		}
		return err
	}
	return fmt.Errorf("arguments %q, want none, or licences", args)
}

// release fills the folder dist of a clone anew. SHA256SUMS comes last, so what was interrupted has
// none.
func release(clone string, targets []target) error {
	clone, err := filepath.Abs(clone)
	if err != nil {
		return err
	}
	changed, err := git(clone, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("these files are not as they were committed, and nobody could build them again; commit or remove them:\n%s", changed)
	}
	points, err := git(clone, "tag", "--list", "v[0-9]*", "--points-at", "HEAD")
	if err != nil {
		return err
	}
	tags := strings.Fields(points)
	if len(tags) == 0 {
		fmt.Fprintln(os.Stderr, "no tag of a version is on this commit, so Go makes a version up")
	}
	text, err := licences(clone, targets) // before what takes long
	if err != nil {
		return err
	}
	dist := filepath.Join(clone, "dist")
	if err := os.RemoveAll(dist); err != nil {
		return err
	}
	if err := os.Mkdir(dist, 0o777); err != nil {
		return err
	}
	var names []string
	version := ""
	for _, t := range targets {
		fmt.Fprintln(os.Stderr, "building", t)
		part := filepath.Join(dist, t.String())
		if version, err = build(clone, t, part); err != nil {
			return err
		}
		if len(tags) > 0 && !slices.Contains(tags, version) {
			return fmt.Errorf("the tag is %s, but Go made the version %s: want a tag vMAJOR.MINOR.PATCH, where MAJOR is 0 or 1", strings.Join(tags, " "), version)
		}
		names = append(names, "mcvd-"+version+"-"+t.String())
		if err := os.Rename(part, filepath.Join(dist, names[len(names)-1])); err != nil {
			return err
		}
	}
	names = append(names, "mcvd-"+version+"-licences.txt")
	if err := os.WriteFile(filepath.Join(dist, names[len(names)-1]), text, 0o666); err != nil {
		return err
	}
	return writeSums(dist, names)
}

// writeSums writes SHA256SUMS as `sha256sum --check` reads it.
func writeSums(folder string, names []string) error {
	var lines strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(data), name)
	}
	fmt.Fprint(os.Stderr, lines.String())
	return os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(lines.String()), 0o666)
}
