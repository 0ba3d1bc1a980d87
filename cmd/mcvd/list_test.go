package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/models"
	"mcvd/train/optimizer"
)

// Whatever a table of implementations can be asked for by a setting stands in the list, with its
// names.
func TestListShowsEveryTableWithItsSetting(t *testing.T) {
	_, text, _ := call(t, "list")
	for _, table := range slices.Concat(data.Tables(), models.Tables(), optimizer.Tables()) {
		names := configs.Names(table.Options)
		found := false
		for line := range strings.Lines(text) {
			if words := strings.Fields(line); len(words) > 2 && words[1] == table.Choice {
				found = slices.Equal(words[2:], names)
			}
		}
		if !found {
			t.Errorf("no line of %s with %v in\n%s", table.Choice, names, text)
		}
	}
}

// JSON holds what the table holds.
func TestListAsJSONIsTheTable(t *testing.T) {
	_, text, _ := call(t, "list")
	_, stdout, _ := call(t, "list", "--json")
	all := map[string]listed{}
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || len(all) != len(kinds) {
		t.Fatalf("%d kinds, error %v, want %d", len(all), err, len(kinds))
	}
	rows := 0
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(line, " ")
		l, ok := all[kind]
		if !ok {
			continue
		}
		rows++
		want := strings.Join(append([]string{l.ChosenBy}, l.Names...), " ")
		if got := strings.Join(strings.Fields(rest), " "); got != want {
			t.Errorf("%s: the table has %q, JSON %q", kind, got, want)
		}
	}
	if rows != len(kinds) {
		t.Errorf("%d rows of the table are in the JSON, want %d", rows, len(kinds))
	}
	if _, one, _ := call(t, "list", "samplers", "--json"); !strings.Contains(one, `"chosen_by": "sampler.name"`) || strings.Contains(one, "datasets") {
		t.Errorf("samplers alone are %s", one)
	}
}
