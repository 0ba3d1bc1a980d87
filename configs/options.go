package configs

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Options are settings that belong to one implementation, which declares them as its own struct and
// reads them with [Options.Decode].
type Options map[string]any

// Decode reads o over the defaults that are already in the targets, pointers to structs with yaml
// tags, as strictly as [Catalogue.Load] reads a file: each key must belong to one of them, and each
// value must be what the field's range and choices tags allow. path is where o stands in the YAML,
// such as data.options, and begins every line of the error.
func (o Options) Decode(path string, targets ...any) error {
	values := make([]reflect.Value, len(targets))
	for i, target := range targets {
		values[i] = reflect.ValueOf(target).Elem()
	}
	known := targetFields(path, values)
	d, p := decoder{}, Problems{}
	d.fields(encode(reflect.ValueOf(o)), known, path)
	for _, f := range known {
		p.checkValue(f.value, join(path, f.name), f.goes.Tag)
	}
	return errors.Join(append(d.problems, p...)...)
}

// targetFields lists the settings of structs. Two with the same name are a programming error.
func targetFields(path string, targets []reflect.Value) []field {
	var known []field
	for _, target := range targets {
		for _, f := range fields(target) {
			if _, again := lookup(known, f.name); again {
				panic(fmt.Sprintf("configs: two settings are called %s", join(path, f.name)))
			}
			known = append(known, f)
		}
	}
	return known
}

// Pick returns the entry of table for the name that the YAML has at path. A table is a map from
// names to implementations, with one line for each.
func Pick[T any](table map[string]T, path, name string) (T, error) {
	item, ok := table[name]
	if !ok {
		return item, fmt.Errorf("%s: unknown %q (known: %s)", path, name, strings.Join(Names(table), ", "))
	}
	return item, nil
}

// Names lists what a table holds, in alphabetical order.
func Names[T any](table map[string]T) []string { return slices.Sorted(maps.Keys(table)) }
