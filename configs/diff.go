package configs

import (
	"fmt"
	"reflect"

	"gopkg.in/yaml.v3"
)

// Diff lists the settings in which b differs from a, such as "model.options.width: 64 -> 32", in
// the order of the struct. An option that only one of them has is "unset" in the other.
func Diff(a, b *Config) []string {
	var lines []string
	diff(encode(reflect.ValueOf(a).Elem()), encode(reflect.ValueOf(b).Elem()), "", &lines)
	return lines
}

// Setting is a setting by its path, such as model.options.width, with its value in one line.
type Setting struct{ Path, Value string }

// Settings lists the settings of a configuration, in the order of the struct.
func Settings(c *Config) []Setting {
	var all []Setting
	settings(encode(reflect.ValueOf(c).Elem()), "", &all)
	return all
}

func settings(n *yaml.Node, path string, all *[]Setting) {
	if !isMapping(n) {
		*all = append(*all, Setting{path, flow(n)})
		return
	}
	for _, key := range keys(n, nil) {
		settings(child(n, key), join(path, key), all)
	}
}

func diff(a, b *yaml.Node, path string, lines *[]string) {
	if !isMapping(a) && !isMapping(b) {
		if was, is := flow(a), flow(b); was != is {
			*lines = append(*lines, fmt.Sprintf("%s: %s -> %s", path, was, is))
		}
		return
	}
	if !(a == nil || isMapping(a)) || !(b == nil || isMapping(b)) {
		*lines = append(*lines, fmt.Sprintf("%s: %s -> %s", path, flow(a), flow(b)))
		return
	}
	for _, key := range keys(a, b) {
		diff(child(a, key), child(b, key), join(path, key), lines)
	}
}

func isMapping(n *yaml.Node) bool { return n != nil && n.Kind == yaml.MappingNode }

// keys are the keys of a, then those that only b has.
func keys(a, b *yaml.Node) []string {
	var all []string
	for _, n := range []*yaml.Node{a, b} {
		for i := 0; isMapping(n) && i < len(n.Content); i += 2 {
			if key := n.Content[i].Value; n == a || child(a, key) == nil {
				all = append(all, key)
			}
		}
	}
	return all
}

// flow writes n in one line.
func flow(n *yaml.Node) string {
	switch {
	case n == nil:
		return "unset"
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
		return fmt.Sprintf("%q", n.Value)
	case n.Kind == yaml.ScalarNode:
		return n.Value
	}
	open, end := "[", "]"
	if isMapping(n) {
		open, end = "{", "}"
	}
	text := open
	for i, item := range n.Content {
		switch {
		case isMapping(n) && i%2 == 1:
			text += ": "
		case i > 0:
			text += ", "
		}
		text += flow(item)
	}
	return text + end
}
