package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// data.size is one number or a list of two; what is read is written again, and a later layer replaces
// both numbers.
func TestFramesThatAreNotSquare(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "oblong.yml"), []byte("data: {size: [8, 24]}"), 0o644); err != nil {
		t.Fatal(err)
	}
	load := func(text string) (*Config, error) {
		path := filepath.Join(dir, "of.yml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return Catalogue{}.Load(path)
	}
	for text, want := range map[string]struct {
		height, width int
		written       string
	}{
		"data: {size: 64}":                      {64, 64, "size: 64"},
		"data: {size: [32, 48]}":                {32, 48, "size: [32, 48]"},
		"data: {size: [32, 32]}":                {32, 32, "size: 32"},
		"base: oblong.yml\ndata: {size: 16}":    {16, 16, "size: 16"},
		"base: oblong.yml\ndata: {channels: 3}": {8, 24, "size: [8, 24]"},
	} {
		c, err := load(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if h, w := c.Data.Frame(); h != want.height || w != want.width {
			t.Errorf("%s: %dx%d, want %dx%d", text, h, w, want.height, want.width)
		}
		if yaml := string(c.YAML()); !strings.Contains(yaml, "  "+want.written+"\n") {
			t.Errorf("%s: written as\n%s", text, yaml)
		}
		if got := "size: " + c.Data.Sides().String(); got != want.written {
			t.Errorf("%s: shown as %s", text, got)
		}
	}
	for text, want := range map[string]string{
		"data: {size: [32]}":         "data.size: a list of 1, want a number, or two such as [64, 128]",
		"data: {size: [8, 16, 32]}":  "data.size: a list of 3",
		"data: {size: []}":           "data.size: a list of 0",
		"data: {size: [0, 16]}":      "data.size[0]: 0, want 1 to 4096",
		"data: {size: [16, 0]}":      "data.size[1]: 0, want 1 or more",
		"data: {size: 24x40}":        `data.size: "24x40", want an integer such as 64, or a list of two`,
		"data: {size: [16, 5000]}":   "data.size[1]: 5000, want 1 to 4096",
		"data: {size: [16, -5]}":     "data.size[1]: -5, want 1 to 4096",
		"data: {size: [16, 1.5]}":    "data.size[1]: 1.5, want an integer",
		"data: {size: {height: 16}}": "data.size: a mapping, want an integer",
		"data: {width: 16}":          "data.width: unknown key",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}
