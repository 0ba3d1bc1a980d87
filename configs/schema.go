package configs

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Schema returns a JSON schema of configuration files, with which editors complete and check them. It knows names,
// types, defaults, simple bounds and the field comments; what depends on several settings only [Load] sees.
func Schema() ([]byte, error) {
	docs := comments()
	reflector := jsonschema.Reflector{
		Anonymous:                  true,
		DoNotReference:             true,
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true, // and no field has such a tag: every setting has a default
		LookupComment: func(t reflect.Type, field string) string {
			if field == "" {
				return docs[t.Name()]
			}
			return docs[t.Name()+"."+field]
		},
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t == reflect.TypeFor[Options]() {
				return &jsonschema.Schema{Type: "object"}
			}
			return nil
		},
	}
	standard := Default()
	schema := reflector.Reflect(standard)
	schema.Title = "mcvd experiment"
	addDefaults(schema, reflect.ValueOf(standard).Elem())
	addRules(schema, standard)
	schema.Properties.Set("base", &jsonschema.Schema{
		Type:        "string",
		Description: "A file that is read first, relative to this one; this file then is the lines that differ.",
	})
	text, err := json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

func addDefaults(schema *jsonschema.Schema, v reflect.Value) {
	for _, f := range fields(v) {
		property := schema.Properties.Value(f.name)
		switch f.value.Kind() {
		case reflect.Struct:
			addDefaults(property, f.value)
		case reflect.Map: // no options are no default
		default:
			property.Default = f.value.Interface()
		}
	}
}

// addRules adds what [Config.Validate] knows of single settings.
func addRules(schema *jsonschema.Schema, standard *Config) {
	bound := func(x float64) json.Number { return json.Number(strconv.FormatFloat(x, 'g', -1, 64)) }
	for _, r := range standard.ranges() {
		property := find(schema, r.path)
		if r.above {
			property.ExclusiveMinimum = bound(r.low)
		} else {
			property.Minimum = bound(r.low)
		}
		switch {
		case r.high == most:
		case r.below:
			property.ExclusiveMaximum = bound(r.high)
		default:
			property.Maximum = bound(r.high)
		}
	}
	for _, r := range standard.choices() {
		for _, name := range r.known {
			property := find(schema, r.path)
			property.Enum = append(property.Enum, name)
		}
	}
	find(schema, "data.channels").Enum = []any{1, 3}
}

// find returns the property at a YAML path; for an item such as model.attention[0], that of all items.
func find(schema *jsonschema.Schema, path string) *jsonschema.Schema {
	path, _, isItem := strings.Cut(path, "[")
	for name := range strings.SplitSeq(path, ".") {
		schema = schema.Properties.Value(name)
	}
	if isItem {
		return schema.Items
	}
	return schema
}
