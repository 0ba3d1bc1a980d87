package configs

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Options are settings that belong to one implementation, which declares them as its own struct and reads them with
// [Options.Decode].
type Options map[string]any

// Decode reads o over the defaults that are already in into, a pointer to a struct with yaml tags, as strictly as [Load]
// reads a file. path is where o stands in the YAML, such as data.options, and begins every line of the error.
func (o Options) Decode(path string, into any) error {
	d := decoder{at: func(int, int) string { return "" }}
	d.value(encode(reflect.ValueOf(o)), reflect.ValueOf(into).Elem(), path)
	return errors.Join(d.problems...)
}

// Pick returns the entry of table that the YAML at path names. Tables map names to constructors: one line for each
// implementation.
func Pick[T any](table map[string]T, path, name string) (T, error) {
	item, ok := table[name]
	if !ok {
		return item, fmt.Errorf("%s: unknown %q (known: %s)", path, name, strings.Join(Names(table), ", "))
	}
	return item, nil
}

// Names lists what a table holds, in alphabetical order.
func Names[T any](table map[string]T) []string { return slices.Sorted(maps.Keys(table)) }
