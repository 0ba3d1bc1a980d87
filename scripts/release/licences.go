package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// A text is a file with a licence or a notice.
type text struct {
	file     string // below its module's folder, with slashes
	licences []string
	words    []byte
}

// licences lists the modules that are linked into mcvd for any of the targets, with versions and
// licences, and then the text of each licence and notice. It fails if one is not known, all of them
// in one error.
func licences(clone string, targets []target) ([]byte, error) {
	parts, err := linked(clone, targets)
	if err != nil {
		return nil, err
	}
	var table, texts bytes.Buffer
	var problems []error
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "module\tversion\tlicences")
	for _, p := range parts {
		found, err := p.texts()
		if err != nil {
			problems = append(problems, err)
			continue
		}
		var all []string
		for _, t := range found {
			all = append(all, t.licences...)
			fmt.Fprintf(&texts, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("=", 80), p, t.file, bytes.TrimSpace(t.words))
		}
		slices.Sort(all)
		fmt.Fprintf(rows, "%s\t%s\t%s\n", p.path, cmp.Or(p.version, "-"), strings.Join(slices.Compact(all), ", "))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if err := rows.Flush(); err != nil {
		return nil, err
	}
	intro := "What is linked into mcvd, by the names that SPDX gives to licences. The texts follow.\n\n"
	return slices.Concat([]byte(intro), table.Bytes(), texts.Bytes()), nil
}

// Names of files that hold licences and notices, and of folders in which every file does. Go files
// with such names are code.
var (
	licenceFile   = regexp.MustCompile(`(?i)(licen[cs]e|copying|copyright|notice|patents)`)
	licenceFolder = regexp.MustCompile(`(?i)^(third.?party.?)?licen[cs]es$`)
)

// texts reads the licences and notices of a module: those beside the linked packages and what is
// embedded in them, and those of all folders above. It fails if there is none, or one isn't known.
func (p *part) texts() ([]text, error) {
	files := map[string]bool{}
	for folder := range p.folders {
		for ; ; folder = path.Dir(folder) {
			if err := addTexts(files, p.root, folder); err != nil {
				return nil, err
			}
			if folder == "." {
				break
			}
		}
	}
	var found []text
	var problems []error
	licensed := false
	for _, file := range slices.Sorted(maps.Keys(files)) {
		words, err := os.ReadFile(filepath.Join(p.root, filepath.FromSlash(file)))
		if err != nil {
			return nil, err
		}
		ids, include, err := p.recognize(file, words)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %s: %w", p, file, err))
		}
		licensed = licensed || len(ids) > 0
		if include {
			found = append(found, text{file, ids, words})
		}
	}
	if len(problems) == 0 && !licensed {
		problems = append(problems, fmt.Errorf("%s: no file with a licence in %s", p, p.root))
	}
	return found, errors.Join(problems...)
}

// addTexts adds the names of the licences and notices in a folder of a module.
func addTexts(files map[string]bool, root, folder string) error {
	entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(folder)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		switch {
		case e.IsDir() && licenceFolder.MatchString(e.Name()):
			err := fs.WalkDir(os.DirFS(root), name, func(below string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					files[below] = true
				}
				return err
			})
			if err != nil {
				return err
			}
		case !e.IsDir() && licenceFile.MatchString(e.Name()) && path.Ext(name) != ".go":
			files[name] = true
		}
	}
	return nil
}
