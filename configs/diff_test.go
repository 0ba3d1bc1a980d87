package configs

import (
	"slices"
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
