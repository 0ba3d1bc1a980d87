package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A dependency whose licence is not known fails here, and not only when there is a release.
func TestEveryLicenceOfTheProgramIsKnown(t *testing.T) {
	text, err := licences("../..", targets)
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(text), strings.Repeat("=", 80))
	for _, want := range []string{
		"mcvd - Apache-2.0, MIT", // MIT is uPlot's, which is embedded
		"std go1.", "github.com/gomlx/go-xla v", "github.com/golang/freetype v",
	} {
		if fields := strings.Join(strings.FieldsFunc(table, func(r rune) bool { return r == ' ' }), " "); !strings.Contains(fields, "\n"+want) {
			t.Errorf("no row %q in\n%s", want, table)
		}
	}
	for _, want := range []string{": configs/webpage/assets/uPlot.LICENSE\n", "licenses/ftl.txt\n", ": NOTICE", ": zstd/internal/xxhash/LICENSE.txt\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no text %q", want)
		}
	}
	if strings.Contains(string(text), "GNU GENERAL PUBLIC LICENSE") {
		t.Error("the GPL's text is in the list; freetype is linked under FTL")
	}
}

func TestWhatIsRefused(t *testing.T) {
	mit := read(t, "../../configs/webpage/assets/uPlot.LICENSE")
	const gpl = "This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later version."
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // in the error; none for what is accepted
	}{
		{"a known licence", map[string]string{"LICENSE": mit}, ""},
		{"a notice beside it", map[string]string{"LICENSE": mit, "NOTICE.txt": "Somebody wrote this."}, ""},
		{"no file", map[string]string{"README.md": mit}, "example.com/m v1.2.3: no file with a licence"},
		{"a notice alone", map[string]string{"NOTICE": "Somebody wrote this."}, "no file with a licence"},
		{"code with the name of a licence", map[string]string{"licence.go": mit}, "no file with a licence"},
		{"a text that is no known licence", map[string]string{"LICENSE": "Ask me before you use this."}, "example.com/m v1.2.3: LICENSE: 0 % of the text"},
		{"a known licence with much more", map[string]string{"LICENSE": mit + strings.Repeat("And you owe me something each year. ", 40)}, "% of the text are a known licence, want 75 or more"},
		{"a licence that is not accepted", map[string]string{"COPYING": gpl}, "COPYING: GPL-2.0-or-later is none of the licences that may be linked (Apache-2.0, "},
		{"one beside a linked package", map[string]string{"LICENSE": mit, "a/b/LICENSE.md": "Ask me."}, "a/b/LICENSE.md"},
		{"one beside a package that is not linked", map[string]string{"LICENSE": mit, "other/LICENSE": "Ask me."}, ""},
		{"one in a folder of licences", map[string]string{"LICENSE": mit, "third_party_licenses/b": "Ask me."}, "third_party_licenses/b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &part{path: "example.com/m", version: "v1.2.3", root: t.TempDir(), folders: map[string]bool{".": true, "a/b": true}}
			write(t, p.root, "a/b/code.go", "package b\n")
			for name, words := range c.files {
				write(t, p.root, name, words)
			}
			found, err := p.texts()
			switch {
			case c.want == "" && (err != nil || !slices.Equal(found[0].licences, []string{"MIT"})):
				t.Errorf("%v, %v, want MIT", found, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// What a person read holds for the words that were read, in that module, and for what was linked.
func TestReadings(t *testing.T) {
	const module, file = "gonum.org/v1/gonum", "THIRD_PARTY_LICENSES/Bogaert-LICENSE"
	out, err := command("../..", os.Environ(), "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		t.Fatal(err)
	}
	words := read(t, filepath.Join(strings.TrimSpace(out), file))
	for _, c := range []struct {
		name, path, words, linked, want string
	}{
		{"as it was read", module, words, "gonum.org/v1/gonum/mat", ""},
		{"changed", module, words + "\n", "gonum.org/v1/gonum/mat", "has changed since somebody read it"},
		{"in another module", "example.com/m", words, "example.com/m", "0 % of the text"},
		{"with the package that it is about", module, words, "gonum.org/v1/gonum/integrate/quad", "which is linked now"},
	} {
		p := &part{path: c.path, packages: map[string]bool{c.linked: true}}
		_, include, err := p.recognize(file, []byte(c.words))
		if c.want == "" && (err != nil || include) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: included %v, %v, want %q", c.name, include, err, c.want)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
