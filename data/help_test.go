package data

import (
	"regexp"
	"strings"
	"testing"

	"mcvd/configs"
)

// Every data set says where it comes from, its licence, its layout and its splits, and its example is
// an experiment that is accepted.
func TestHelpOfEveryDataSet(t *testing.T) {
	example := regexp.MustCompile(`(?m)^  (data: \{name: (\w+).*)$`)
	for _, name := range Names() {
		text, err := Help(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"\nWhere from:", "\nLicence:", "\nLayout", "\nSplits:"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: nothing about %q", name, strings.TrimSpace(want))
			}
		}
		for line := range strings.Lines(text) {
			if len(line) > 125 {
				t.Errorf("%s: a line of %d characters", name, len(line))
			}
		}
		found := example.FindStringSubmatch(text)
		if found == nil || found[2] != name {
			t.Errorf("%s: no example of an experiment", name)
			continue
		}
		if _, err := (configs.Catalogue{Tables: Tables(), Check: Check}).Parse("the example", []byte(found[1]+"\n")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Help("nothing"); err == nil || !strings.Contains(err.Error(), `data.name: unknown "nothing"`) {
		t.Errorf("error %v, want one that names the data set", err)
	}
}
