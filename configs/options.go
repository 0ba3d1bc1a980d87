package configs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Options are settings that belong to one implementation, which declares them as its own struct and reads them with
// [Options.Decode].
type Options map[string]any

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
