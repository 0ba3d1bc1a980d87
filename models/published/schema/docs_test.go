package schema

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocsNameEveryKey compares docs/published.md with the keys that are read and those that are
// known to be idle.
func TestDocsNameEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../../docs/published.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"image_mean": true}
	for _, file := range []settings{whole(), whole().with("data.dataset", "StochasticMovingMNIST", "model.sigma_dist", "cosine")} {
		r := newReader("config.yml")
		if err := r.load(file.yaml()); err != nil {
			t.Fatal(err)
		}
		r.translate()
		for key := range r.seen {
			known[key] = true
		}
	}
	for key := range known {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("docs/published.md does not name %s", key)
		}
	}
	for key := range idle {
		if name := key[strings.Index(key, ".")+1:]; !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/published.md does not name %s", key)
		}
	}
	_, section, _ := strings.Cut(string(text), "## Configuration")
	table, _, found := strings.Cut(section, "\nThese keys have no effect")
	if !found {
		t.Fatal("docs/published.md has no table of keys, or no list of those without effect behind it")
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\| ").FindAllStringSubmatch(table, -1) {
		for _, key := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			if !known[key[1]] {
				t.Errorf("docs/published.md has %s, which is not read", key[1])
			}
		}
	}
}
