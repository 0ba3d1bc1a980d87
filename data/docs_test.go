package data

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/data.md lists every option of every data set, and nothing else.
func TestDocsListAllOptions(t *testing.T) {
	text, err := os.ReadFile("../docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	options := Tables()[0].Options
	listed := 0
	for _, name := range Names() {
		_, section, ok := strings.Cut(string(text), "\n## "+name)
		if !ok || options[name] == nil {
			t.Errorf("data set %s: no section in docs/data.md, or no options here", name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for field := range reflect.TypeOf(options[name]).Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if !strings.Contains(section, "| `data.options."+key+"` |") {
				t.Errorf("data set %s: docs/data.md lacks data.options.%s", name, key)
			}
			listed++
		}
	}
	if n := strings.Count(string(text), "| `data.options."); n != listed {
		t.Errorf("docs/data.md lists %d options, there are %d", n, listed)
	}
}
