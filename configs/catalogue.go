package configs

import (
	"fmt"
	"reflect"
)

// Catalogue lists the tables of implementations that have options. This package knows none of them: each package that holds a
// table exports its line, and who reads experiments puts the lines together.
type Catalogue []Table

// Table is a setting that names an implementation, and the options that the implementations have.
type Table struct {
	Choice  string         // the YAML path of the setting: "data.name"
	Section string         // the YAML path of the options: "data.options"
	Options map[string]any // by name, a pointer to the implementation's options with their defaults; nil where it has none
}

// below lists the settings that implementations have in the options at a path, by table and name.
func (c Catalogue) below(section string) []choice {
	var all []choice
	for _, t := range c {
		for _, name := range Names(t.Options) {
			if options := t.Options[name]; t.Section == section && options != nil {
				all = append(all, choice{t.Choice, name, reflect.ValueOf(options).Elem()})
			}
		}
	}
	return all
}

// choice is one implementation of a table.
type choice struct {
	path, name string
	options    reflect.Value // the struct, with its defaults
}

// String is how the implementation is chosen: "data.name: digits".
func (c choice) String() string { return fmt.Sprintf("%s: %s", c.path, c.name) }
