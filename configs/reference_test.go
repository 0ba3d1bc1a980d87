package configs

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// leaves calls visit with the YAML path of every setting.
func leaves(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	for _, f := range fields(v) {
		if f.value.Kind() == reflect.Struct {
			leaves(f.value, join(path, f.name), visit)
		} else {
			visit(join(path, f.name), f.value)
		}
	}
}

func TestReferenceDescribesEverySetting(t *testing.T) {
	text := Catalogue{}.Reference()
	want := "\ntrain.keep: integer, 1 to 1000000, default 3\n    How many of the newest checkpoints stay, beside the one with the lowest validation loss.\n"
	if !strings.Contains(text, want) {
		t.Errorf("want %q in\n%s", want, text)
	}
	leaves(reflect.ValueOf(Default()).Elem(), "", func(path string, _ reflect.Value) {
		_, after, found := strings.Cut(text, "\n"+path+": ")
		if lines := strings.SplitN(after, "\n", 3); !found || len(strings.TrimSpace(lines[1])) < 10 {
			t.Errorf("%s has no description", path)
		}
	})
	for name, doc := range comments() {
		if _, field, ok := strings.Cut(name, "."); ok && strings.HasPrefix(doc, field+" ") {
			t.Errorf("the comment of %s begins with its Go name, which readers of the reference don't know", name)
		}
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(line); n > 101 {
			t.Errorf("%d columns: %s", n-1, line)
		}
	}
}

func TestSchemaKnowsEverySetting(t *testing.T) {
	text, err := Catalogue{}.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	at := func(path string) map[string]any {
		s := schema
		for key := range strings.SplitSeq(path, ".") {
			if s["additionalProperties"] != false {
				t.Errorf("above %s: additional properties are allowed", path)
			}
			s, _ = s["properties"].(map[string]any)[key].(map[string]any)
		}
		return s
	}
	leaves(reflect.ValueOf(Default()).Elem(), "", func(path string, v reflect.Value) {
		s := at(path)
		if s["type"] == nil && s["anyOf"] == nil || s["description"] == nil || v.Kind() != reflect.Map && s["default"] == nil {
			t.Errorf("%s: %v", path, s)
		}
	})
	for path, want := range map[string]string{
		"base":              `string`,
		"data.on_error":     `[skip fail]`,
		"data.channels":     `[1 3]`,
		"data.size":         `[map[maximum:4096 minimum:1 type:integer] map[items:map[maximum:4096 minimum:1 type:integer] maxItems:2 minItems:2 type:array]]`,
		"train.precision":   `[float32 bfloat16]`,
		"frames.past":       `0 1024`,
		"optimizer.epsilon": `exclusive 0`,
	} {
		if got := constraint(at(path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if strings.Contains(string(text), `"required"`) || at("data.options")["additionalProperties"] != nil {
		t.Error("want nothing required and options free")
	}
}

// toys is a catalogue of two tables that share a section.
func toys() Catalogue {
	return Catalogue{Tables: []Table{
		{Choice: "sampler.name", Section: "data.options",
			Options: map[string]any{"ddim": &noise{Eta: 0.5, Steps: []int{1, 2}}, "ddpm": nil, "heun": func() {}}},
		TableOf("data.name", "data.options", map[string]any{"digits": colours{Color: "white"}, "letters": colours{Color: "white"},
			"lines": struct {
				Color float64 `yaml:"color"`
			}{}}),
	}}
}

func TestReferenceAndSchemaShowTheOptionsOfImplementations(t *testing.T) {
	text := toys().Reference()
	for _, want := range []string{
		"\nsampler.name: ddim or ddpm or heun, default \"ddim\"\n",
		"\ndata.options.eta: number, 0 to below 1, default 0.5 (sampler.name: ddim)\n    Eta is fresh noise.\n",
		"\ndata.options.steps: list of integers, each 1 to 9, default [1, 2] (sampler.name: ddim)\n",
		"\ndata.options.color: white or random, default \"white\" (data.name: digits or letters)\n    Color of the digits.\n",
		"\ndata.options.names: list, each a or b, default [] (data.name: digits or letters)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\ndata.options.names:"); n != 1 {
		t.Errorf("an option that two implementations share is listed %d times", n)
	}
	text2, err := toys().Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Data struct {
				Properties struct {
					Options struct {
						Properties           map[string]map[string]any
						AdditionalProperties any
					}
				}
			}
		}
	}
	if err := json.Unmarshal(text2, &schema); err != nil {
		t.Fatal(err)
	}
	options := schema.Properties.Data.Properties.Options
	if options.AdditionalProperties != false || len(options.Properties) != 5 {
		t.Errorf("options %v", options)
	}
	eta := options.Properties["eta"]
	if eta["minimum"] != 0.0 || eta["exclusiveMaximum"] != 1.0 || eta["default"] != 0.5 || eta["description"] != "(sampler.name: ddim) Eta is fresh noise." {
		t.Errorf("eta: %v", eta)
	}
	if !strings.Contains(string(text2), `"enum": [
            "ddim",
            "ddpm",
            "heun"
          ]`) {
		t.Errorf("the samplers are not in\n%s", text2)
	}
	if both, _ := options.Properties["color"]["anyOf"].([]any); len(both) != 2 {
		t.Errorf("color, of two implementations: %v", options.Properties["color"])
	}
}

// constraint shows what a schema says beyond its type, or else that.
func constraint(s map[string]any) string {
	if items, ok := s["items"].(map[string]any); ok {
		s = items
	}
	switch {
	case s["enum"] != nil:
		return fmt.Sprint(s["enum"])
	case s["anyOf"] != nil:
		return fmt.Sprint(s["anyOf"])
	case s["maximum"] != nil:
		return fmt.Sprint(s["minimum"], " ", s["maximum"])
	case s["exclusiveMinimum"] != nil:
		return fmt.Sprint("exclusive ", s["exclusiveMinimum"])
	}
	return fmt.Sprint(s["type"])
}
