package configs

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

func TestDiffListsEveryDifferenceOnce(t *testing.T) {
	a, b := Default(), Default()
	if got := Diff(a, b); len(got) > 0 {
		t.Errorf("equal configs differ by %q", got)
	}
	a.Data.Options = Options{"crop": 1, "gone": true, "kind": map[string]any{"a": 1}, "same": []any{1, "x"}}
	b.Data.Options = Options{"crop": 1.0, "kind": 3, "same": []any{1, "x"}, "new": map[string]any{"x": 1, "y": []any{"s"}}}
	a.Model.Options = Options{"width": 64, "multipliers": []any{1, 2, 3, 4}}
	b.Model.Options = Options{"width": 32, "multipliers": []int{1, 2}}
	b.Seed, b.Data.Name = 2, "digits"
	want := []string{
		`seed: 1 -> 2`,
		`data.name: "folder" -> "digits"`,
		`data.options.crop: 1 -> 1.0`,
		`data.options.gone: true -> unset`,
		`data.options.kind: {"a": 1} -> 3`,
		`data.options.new.x: unset -> 1`,
		`data.options.new.y: unset -> ["s"]`,
		`model.options.multipliers: [1, 2, 3, 4] -> [1, 2]`,
		`model.options.width: 64 -> 32`,
	}
	if got := Diff(a, b); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// Two configurations differ in the settings whose values differ.
func TestSettingsAreWhatDiffCompares(t *testing.T) {
	a, b := Default(), Default()
	b.Train.Steps, b.Model.Options = 7, Options{"width": 3, "attention": []int{8, 4}}
	was, is := map[string]string{}, map[string]string{}
	for _, s := range Settings(a) {
		was[s.Path] = s.Value
	}
	var lines []string
	for _, s := range Settings(b) {
		is[s.Path] = s.Value
		if old := cmp.Or(was[s.Path], "unset"); old != s.Value {
			lines = append(lines, s.Path+": "+old+" -> "+s.Value)
		}
	}
	if want := Diff(a, b); len(want) != 3 || strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("settings differ in\n%s\nDiff says\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if is["model.options.attention"] != "[8, 4]" {
		t.Errorf("a list is %q, want [8, 4]", is["model.options.attention"])
	}
}
