package watch

import (
	"embed"
	"fmt"
	"strings"

	"mcvd/configs/webpage"
)

//go:embed assets
var assets embed.FS

// scripts are the page's own, in the order in which a browser needs them.
var scripts = []string{"samples.js", "page.js"}

// page is the page of runs.
func page(title string) webpage.Page {
	var script strings.Builder
	for _, name := range scripts {
		script.WriteString(asset(name) + "\n")
	}
	return webpage.Page{Title: title, Body: asset("page.html"), Style: asset("page.css"), Script: script.String()}
}

func asset(name string) string {
	text, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(fmt.Sprintf("watch: %v", err)) // it is embedded
	}
	return string(text)
}
