package configs

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// YAML writes the resolved configuration: every setting, except those that have their default and
// no effect in this experiment. [Catalogue.Parse] reads an equal Config from it, and so does
// [Catalogue.Load] from a file that holds it.
func (c *Config) YAML() []byte {
	root := encode(reflect.ValueOf(c).Elem())
	ours, standard := reflect.ValueOf(c).Elem(), reflect.ValueOf(Default()).Elem()
	paths := slices.Clone(c.ignored)
	for _, i := range c.idle() {
		paths = append(paths, i.path)
	}
	for _, path := range paths {
		if section, name := parent(root, path); reflect.DeepEqual(setting(ours, path).Interface(), setting(standard, path).Interface()) {
			remove(section, name)
		}
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		panic(fmt.Sprintf("configs: a tree of plain values can't be written: %v", err))
	}
	return out.Bytes()
}

// encode is the inverse of [decoder.value]. yaml.v3 is not used for this, because it writes the
// float 1.0 as the integer 1, and options, which have no declared type, must come back as they
// were.
func encode(v reflect.Value) *yaml.Node {
	scalar := func(tag, text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text} }
	switch {
	case v.Kind() == reflect.Interface && !v.IsNil():
		return encode(v.Elem())
	case v.Kind() == reflect.Interface || !v.IsValid():
		return scalar("!!null", "null")
	case v.Kind() == reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, f := range fields(v) {
			if f.second.IsValid() && !f.second.IsZero() {
				both := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle, Content: []*yaml.Node{encode(f.value), encode(f.second)}}
				n.Content = append(n.Content, text(f.name), both)
				continue
			}
			if f.value.Kind() != reflect.Map || f.value.Len() > 0 {
				n.Content = append(n.Content, text(f.name), encode(f.value))
			}
		}
		return n
	case v.Kind() == reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			n.Content = append(n.Content, text(k.String()), encode(v.MapIndex(k)))
		}
		return n
	case v.Kind() == reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
		for i := range v.Len() {
			n.Content = append(n.Content, encode(v.Index(i)))
		}
		return n
	case v.Kind() == reflect.String:
		return text(v.String())
	case v.Kind() == reflect.Bool:
		return scalar("!!bool", strconv.FormatBool(v.Bool()))
	case v.CanInt():
		return scalar("!!int", strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		return scalar("!!int", strconv.FormatUint(v.Uint(), 10))
	case v.CanFloat():
		return scalar("!!float", formatFloat(v.Float(), v.Type().Bits()))
	}
	panic(fmt.Sprintf("configs: settings can't be a %s", v.Type()))
}

// formatFloat writes the shortest text that reads back as the same float and not as an integer.
func formatFloat(f float64, bits int) string {
	s := strconv.FormatFloat(f, 'g', -1, bits)
	switch {
	case f != f || f-f != 0:
		// The decoder refuses this, as it should: no option is NaN or infinite.
		return "." + strings.ToLower(strings.TrimLeft(s, "+"))
	case !strings.ContainsAny(s, ".e"):
		return s + ".0"
	}
	return s
}

// text quotes everything but plain words, because yaml.v3's block styles lose some white space.
func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	if isWord(strings.NewReplacer("/", "_", ".", "_").Replace(s)) && s[0] != '-' {
		n.Style = 0 // where a word would read as something else, such as true, yaml.v3 quotes it because of the tag
	}
	return n
}

// mapping returns {key: item}.
func mapping(key string, item *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{text(key), item}}
}

// parent returns the section that holds path, and the last part of path.
func parent(root *yaml.Node, path string) (section *yaml.Node, name string) {
	for {
		key, rest, more := strings.Cut(path, ".")
		if !more {
			return root, key
		}
		root, path = child(root, key), rest
	}
}

func remove(section *yaml.Node, name string) {
	for i := 0; i < len(section.Content); i += 2 {
		if section.Content[i].Value == name {
			section.Content = slices.Delete(section.Content, i, i+2)
			return
		}
	}
}
