package configs

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Schema returns a JSON schema of configuration files, with which editors complete and check them.
// It has names, types, defaults, simple bounds and the comments. Only [Catalogue.Load] checks what
// depends on several settings.
func (c Catalogue) Schema() ([]byte, error) {
	schema := schemaOf(reflect.ValueOf(Default()).Elem(), comments())
	schema.Title = "mcvd experiment"
	schema.Properties.Value("data").Properties.Value("channels").Enum = []any{1, 3}
	for _, path := range c.sections() {
		addOptions(find(schema, path), c.below(path))
	}
	for _, t := range c.Tables {
		for _, name := range Names(t.Options) {
			property := find(schema, t.Choice)
			property.Enum = append(property.Enum, name)
		}
	}
	schema.Properties.Set("base", &jsonschema.Schema{
		Type:        "string",
		Description: baseDoc,
	})
	text, err := json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

// schemaOf describes a struct of settings with their defaults. docs are the comments of fields
// without a doc tag.
func schemaOf(v reflect.Value, docs map[string]string) *jsonschema.Schema {
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
	schema := reflector.Reflect(v.Addr().Interface())
	schema.Version = ""
	addDefaults(schema, v)
	addRules(schema, v)
	return schema
}

// addOptions describes the options of implementations in one section. If two have an option of the
// same name, both forms are accepted.
func addOptions(section *jsonschema.Schema, implementations []choice) {
	section.Properties = jsonschema.NewProperties()
	section.AdditionalProperties = jsonschema.FalseSchema
	for _, i := range implementations {
		own := schemaOf(i.options, nil).Properties
		for p := own.Oldest(); p != nil; p = p.Next() {
			p.Value.Description = fmt.Sprintf("(%s) %s", i, p.Value.Description)
			if other, ok := section.Properties.Get(p.Key); ok {
				p.Value = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{other, p.Value}}
			}
			section.Properties.Set(p.Key, p.Value)
		}
	}
}

// find returns the property at a YAML path.
func find(schema *jsonschema.Schema, path string) *jsonschema.Schema {
	for name := range strings.SplitSeq(path, ".") {
		schema = schema.Properties.Value(name)
	}
	return schema
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

// addRules adds what the tags of a struct's fields say.
func addRules(schema *jsonschema.Schema, v reflect.Value) {
	for _, f := range fields(v) {
		property := schema.Properties.Value(f.name)
		if f.value.Kind() == reflect.Struct {
			addRules(property, f.value)
			continue
		}
		if doc, ok := f.goes.Tag.Lookup("doc"); ok {
			property.Description = doc
		}
		if f.value.Kind() == reflect.Slice {
			property = property.Items
		}
		if r, ok := rangeOf(f.goes.Tag); ok {
			r.addTo(property)
		}
		for _, name := range choicesOf(f.goes.Tag) {
			property.Enum = append(property.Enum, name)
		}
		if f.second.IsValid() {
			number, two := *property, uint64(2)
			number.Description, number.Default = "", nil
			list := &jsonschema.Schema{Type: "array", Items: &number, MinItems: &two, MaxItems: &two}
			*property = jsonschema.Schema{Description: property.Description, Default: property.Default, AnyOf: []*jsonschema.Schema{&number, list}}
		}
	}
}

func (r interval) addTo(property *jsonschema.Schema) {
	bound := func(x float64, excluded, want bool) json.Number {
		if math.IsInf(x, 0) || excluded != want {
			return "" // which the encoder leaves out
		}
		return json.Number(strconv.FormatFloat(x, 'g', -1, 64))
	}
	property.Minimum, property.ExclusiveMinimum = bound(r.low, r.above, false), bound(r.low, r.above, true)
	property.Maximum, property.ExclusiveMaximum = bound(r.high, r.below, false), bound(r.high, r.below, true)
}
