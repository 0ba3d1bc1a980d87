package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/eval"
)

// However a report's JSON is damaged, it is refused in one line, or shown; nothing panics, and the
// message stays JSON.
func TestDamagedReports(t *testing.T) {
	whole, err := json.Marshal(aReport(t, 3, 3, nil))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "r.json")
	shown := 0
	try := func(t interface {
		Fatal(...any)
		Fatalf(string, ...any)
	}, text []byte) {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := eval.ReadReport(path)
		if err != nil {
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
				t.Fatalf("%s: %q, want one line with the path", text, err)
			}
			return
		}
		shown++
		text2, err := build(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		_, data, _ := strings.Cut(text2, `id="data">`)
		data, _, _ = strings.Cut(data, "</script>")
		if !json.Valid([]byte(data)) {
			t.Fatalf("%s: the message is no JSON: %.300s", text, data)
		}
		Choose(r)
	}
	rapid.Check(t, func(t *rapid.T) {
		var tree any
		if err := json.Unmarshal(whole, &tree); err != nil {
			t.Fatal(err)
		}
		damage(t, tree)
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		try(t, text)
	})
	if shown == 0 {
		t.Error("no damaged report was shown, so the page was not tried")
	}
	for _, text := range []string{strings.Replace(string(whole), "0.25", "NaN", 1), strings.Replace(string(whole), "0.25", "1e999", 1), string(whole[:len(whole)/2])} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if r, err := eval.ReadReport(path); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v, %v, want one line", r, err)
		}
	}
}

// damage changes one value of a tree of JSON, or takes it out.
func damage(t *rapid.T, tree any) {
	for {
		switch node := tree.(type) {
		case map[string]any:
			keys := configs.Names(node)
			if len(keys) == 0 {
				return
			}
			key := rapid.SampledFrom(keys).Draw(t, "key")
			if child := node[key]; goesOn(t, child) {
				tree = child
				continue
			}
			if rapid.Bool().Draw(t, "remove") {
				delete(node, key)
			} else {
				node[key] = strange(t)
			}
			return
		case []any:
			if len(node) == 0 {
				return
			}
			i := rapid.IntRange(0, len(node)-1).Draw(t, "index")
			if goesOn(t, node[i]) {
				tree = node[i]
				continue
			}
			node[i] = strange(t)
			return
		default:
			return
		}
	}
}

// goesOn says whether to look for something to damage below.
func goesOn(t *rapid.T, child any) bool {
	switch child.(type) {
	case map[string]any, []any:
		return rapid.IntRange(0, 4).Draw(t, "deeper") > 0
	}
	return false
}

func strange(t *rapid.T) any {
	return rapid.SampledFrom([]any{nil, 0, -1, 1e308, -1e308, 1 << 40, 0.5, "", hostile, true, []any{}, map[string]any{}, []any{1e308, -1e308}}).Draw(t, "value")
}
