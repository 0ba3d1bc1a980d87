package main

import (
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
