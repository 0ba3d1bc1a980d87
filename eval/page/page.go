// Package page shows the report of an evaluation as one HTML file, which needs no server and no
// network.
package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"regexp"

	"mcvd/configs/atomicfile"
	"mcvd/configs/webpage"
	"mcvd/eval"
)

//go:embed assets
var assets embed.FS

// Write writes the page of a report: its numbers with their rules, curves by frame, histograms over
// clips, and films. films are those of [Choose], generated again, or nil if there are none; then the
// page says how to get them. Names and paths in the report may hold anything: they are only text.
func Write(path string, r *eval.Report, films *Films) error {
	text, err := build(r, films)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, func(tmp *os.File) error {
		_, err := tmp.WriteString(text)
		return err
	})
}

// message is what the page's script draws.
type message struct {
	Charts []chart `json:"charts"`
	Films  *player `json:"films,omitempty"`
}

func build(r *eval.Report, films *Films) (string, error) {
	v, m := newView(r), message{Charts: chartsOf(r)}
	if films == nil {
		v.HowToFilms = "mcvd eval report REPORT.json --run " + argument(r.Run) + " -o PAGE.html"
	} else {
		var err error
		if m.Films, err = films.player(r); err != nil {
			return "", err
		}
		v.Films = films.notes(r, m.Films)
	}
	body, err := template.New("page.html").ParseFS(assets, "assets/page.html")
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := body.Execute(&out, v); err != nil {
		return "", err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	page := webpage.Page{Title: v.Title, Body: out.String(), Style: asset("page.css"), Script: asset("films.js") + "\n" + asset("page.js")}
	return page.Alone(data), nil
}

// plain are names that mean themselves in every shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./][A-Za-z0-9_./-]*$`)

// argument is the name of a run in a command that people may copy, or RUN if a shell could take it for
// something else.
func argument(run string) string {
	if plain.MatchString(run) {
		return run
	}
	return "RUN"
}

func asset(name string) string {
	text, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(fmt.Sprintf("page: %v", err)) // it is embedded
	}
	return string(text)
}
