package configs

import (
	"reflect"
	"slices"
	"strings"
)

// Catalogue is what there is to choose from: the tables of implementations with their options. This
// package knows no implementation. Each package with tables exports them, and package experiment
// joins them.
type Catalogue struct {
	Tables []Table
	// Check reports what the implementations say about a whole configuration. Its errors may be
	// [Problem]s. nil checks nothing.
	Check func(*Config) error
}

// Table is a setting that names an implementation, and the options of the implementations. Several
// tables may share a section of options, which then holds the options of all implementations that
// were chosen. No two of these may have an option of the same name.
type Table struct {
	Choice  string // the YAML path of the setting: "sampler.name"; it may itself be an option
	Section string // the YAML path of the options: "sampler.options"
	// Options are the implementations' options with their defaults, by name: a struct with yaml
	// tags, or a pointer to one. Anything else is an implementation without options.
	Options map[string]any
	// Ignores are settings outside of the options that have no effect on an implementation, by its
	// name.
	Ignores map[string]Ignored
}

// Ignored are settings without effect, and why.
type Ignored struct {
	Reason string // "digits are drawn, not read"
	Paths  []string
}

// TableOf makes a [Table] from a map of implementations.
func TableOf[T any](choice, section string, table map[string]T) Table {
	t := Table{Choice: choice, Section: section, Options: map[string]any{}}
	for name, item := range table {
		t.Options[name] = item
	}
	return t
}

// Completer are options whose defaults depend on other settings.
type Completer interface {
	// Complete changes options that were not set, after all were read. isSet says whether an option
	// was set.
	Complete(c *Config, isSet func(key string) bool)
}

// Build returns the implementation with the given name, which the YAML at choice has: a copy of its
// entry in the table, a struct or a pointer to one, with options read into its fields. section is
// where the options stand.
func Build[T any](table map[string]T, choice, name, section string, o Options) (T, error) {
	item, err := Pick(table, choice, name)
	if err != nil {
		return item, err
	}
	options, get := Copy(item)
	err = o.Decode(section, options)
	return get(), err
}

// Copy copies an implementation of a table, so that options can be decoded into the copy. It
// returns a pointer to the copied struct for [Options.Decode], and a function that returns the copy
// in the table's type.
func Copy[T any](item T) (target any, get func() T) {
	v := reflect.ValueOf(item)
	isPointer := v.Kind() == reflect.Pointer
	p := reflect.New(reflect.Indirect(v).Type())
	p.Elem().Set(reflect.Indirect(v))
	return p.Interface(), func() T {
		if isPointer {
			return p.Interface().(T)
		}
		return p.Elem().Interface().(T)
	}
}

// structOf returns a copy of what an entry of [Table.Options] points to, if it has options.
func structOf(entry any) (v reflect.Value, ok bool) {
	v = reflect.ValueOf(entry)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || !slices.ContainsFunc(fields(v), func(f field) bool { return f.goes.Tag.Get("yaml") != "" }) {
		return v, false
	}
	own := reflect.New(v.Type()).Elem()
	own.Set(v)
	return own, true
}

// sections are the paths of options, each once.
func (c Catalogue) sections() []string {
	var all []string
	for _, t := range c.Tables {
		if !slices.Contains(all, t.Section) {
			all = append(all, t.Section)
		}
	}
	return all
}

// of are the tables that share a section.
func (c Catalogue) of(section string) []Table {
	return slices.DeleteFunc(slices.Clone(c.Tables), func(t Table) bool { return t.Section != section })
}

// names are the values that a table allows for the setting at a path; nil if there is no such
// table.
func (c Catalogue) names(path string) []string {
	for _, t := range c.Tables {
		if t.Choice == path {
			return Names(t.Options)
		}
	}
	return nil
}

// choice is one implementation of a table that has options, or several that have the same ones.
type choice struct {
	path    string
	names   []string
	options reflect.Value // the struct, with its defaults
}

// below lists the implementations with options in a section, by table and name.
func (c Catalogue) below(section string) []choice {
	var all []choice
	for _, t := range c.of(section) {
		for _, name := range Names(t.Options) {
			options, ok := structOf(t.Options[name])
			if !ok {
				continue
			}
			same := slices.IndexFunc(all, func(o choice) bool { return o.path == t.Choice && sameFields(o.options, options) })
			if same >= 0 {
				all[same].names = append(all[same].names, name)
				continue
			}
			all = append(all, choice{t.Choice, []string{name}, options})
		}
	}
	return all
}

// sameFields is whether two structs have the same settings with the same tags and defaults.
func sameFields(a, b reflect.Value) bool {
	return slices.EqualFunc(fields(a), fields(b), func(a, b field) bool {
		return a.goes.Tag == b.goes.Tag && a.goes.Type == b.goes.Type && reflect.DeepEqual(a.value.Interface(), b.value.Interface())
	})
}

// String is how the implementation is chosen: "data.name: digits", or "optimizer.schedule: cosine
// or linear".
func (c choice) String() string { return c.path + ": " + strings.Join(c.names, " or ") }
