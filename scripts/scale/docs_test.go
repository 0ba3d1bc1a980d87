package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/scale.md anew")

// Every table of docs/scale.md stands below the command that prints it, and is what it prints.
func TestTablesOfTheDocs(t *testing.T) {
	const file = "../../docs/scale.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	withTable := regexp.MustCompile(`(?m)^    go run \./scripts/scale (step .* .*)\n\n((?:\|.*\n)*)`)
	page := withTable.ReplaceAllStringFunc(string(text), func(block string) string {
		m := withTable.FindStringSubmatch(block)
		commands++
		var out strings.Builder
		if err := run(strings.Fields(m[1]), &out); err != nil {
			t.Errorf("scale %s: %v", m[1], err)
			return block
		}
		if out.String() != m[2] && !*update {
			t.Errorf("scale %s prints\n%sdocs/scale.md has\n%s", m[1], out.String(), m[2])
		}
		if m[2] == "" { // a new command
			out.WriteString("\n")
		}
		return strings.TrimSuffix(block, m[2]) + out.String()
	})
	calculated, _, ok := strings.Cut(withTable.ReplaceAllString(page, ""), "\n## Measured\n")
	if tables := strings.Count(calculated, "\n| --- "); tables > 0 || !ok {
		t.Errorf("%d tables without a command, a part for what was measured: %v", tables, ok)
	}
	misses := regexp.MustCompile(`misses the worst by (.*) %, the median by (.*) %`)
	for _, m := range regexp.MustCompile(`(?m)^    go run \./scripts/scale (fit .*)$`).FindAllStringSubmatch(page, -1) {
		commands++
		var out strings.Builder
		if err := run(strings.Fields(strings.ReplaceAll(m[1], "scripts/scale/", "")), &out); err != nil {
			t.Errorf("scale %s: %v", m[1], err)
		} else if n := misses.FindStringSubmatch(out.String()); n == nil || !strings.Contains(string(text), "within "+n[1]+" %, the median within "+n[2]+" %") {
			t.Errorf("scale %s prints\n%sdocs/scale.md says something else", m[1], &out)
		}
	}
	if commands < 15 {
		t.Errorf("%d commands, want all", commands)
	}
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
