package configs

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxDepth bounds how deep options nest, and maxProblems how many problems of a document are shown:
// a document of another kind would have one on every line.
const (
	maxDepth    = 32
	maxProblems = 50
)

// locator says where a line and a column are; 0 stands for an unknown one.
type locator func(line, column int) string

// decoder reads YAML nodes into Go values. It is strict where yaml.v3 is lenient (1.5 as an
// integer, nulls, octal numbers, text as a number), and goes on after a problem, so that one run
// shows all of them.
type decoder struct {
	at       locator // nil if the values don't come from text; then problems are [Problem]s
	layer    int
	override bool    // whether the layer is that of the overrides
	set      origins // nil if that is not needed
	depth    int
	problems []error
}

// problem notes what is wrong at n. The message says first what was got, then what is wanted.
func (d *decoder) problem(n *yaml.Node, path, format string, args ...any) {
	if d.at == nil {
		d.problems = append(d.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
		return
	}
	if len(d.problems) > maxProblems {
		return
	}
	parts := []string{d.at(n.Line, n.Column), path, fmt.Sprintf(format, args...)}
	if len(d.problems) == maxProblems {
		parts[1], parts[2] = "", "more problems from here on, which are not shown"
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	d.problems = append(d.problems, errors.New(strings.Join(parts, ": ")))
}

func (d *decoder) want(n *yaml.Node, path, want string) {
	d.problem(n, path, "%s, want %s", describe(n), want)
}

func (d *decoder) note(n *yaml.Node, path string) {
	if d.set != nil {
		d.set[path] = origin{where: d.at(n.Line, n.Column), layer: d.layer, override: d.override}
	}
}

// value reads n into v. What n doesn't say keeps its present value.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	d.depth++
	defer func() { d.depth-- }()
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.ShortTag() == "!!merge":
		d.problem(n, path, "an anchor, alias or merge key, want the value itself (or a file named by base:)")
		return
	case n.Style&yaml.TaggedStyle != 0:
		d.problem(n, path, "the tag %q, want a value without one", n.Tag)
		return
	case d.depth > maxDepth:
		d.problem(n, path, "nested more than %d deep, want less", maxDepth)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.section(n, v, path)
	case reflect.Map:
		if n.Kind != yaml.MappingNode {
			d.want(n, path, "a mapping")
			return
		}
		old := v.Convert(reflect.TypeFor[map[string]any]()).Interface().(map[string]any)
		if merged := d.merge(n, old, path); len(merged) > 0 {
			v.Set(reflect.ValueOf(merged).Convert(v.Type()))
		}
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Interface:
		d.free(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

// section reads a mapping into the fields of a struct.
func (d *decoder) section(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.want(n, path, "a mapping of settings")
		return
	}
	d.fields(n, fields(v), path)
}

// fields reads a mapping into settings.
func (d *decoder) fields(n *yaml.Node, known []field, path string) {
	for key, item := range d.pairs(n, path) {
		f, ok := lookup(known, key.Value)
		if !ok {
			d.problem(key, join(path, key.Value), "unknown key, %s", suggest(known, key.Value, formerly(path)))
			continue
		}
		if f.second.IsValid() {
			d.twice(item, f, join(path, f.name))
			continue
		}
		d.value(item, f.value, join(path, f.name))
	}
}

// twice reads a number, or a list of two.
func (d *decoder) twice(n *yaml.Node, f field, path string) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!int" {
		d.want(n, path, "an integer such as 64, or a list of two such as [64, 128]")
		return
	}
	if n.Kind != yaml.SequenceNode {
		f.second.SetZero()
		d.value(n, f.value, path)
		return
	}
	both := reflect.New(reflect.SliceOf(f.value.Type())).Elem()
	d.value(n, both, path)
	if both.Len() != 2 {
		d.problem(n, path, "a list of %d, want a number, or two such as [64, 128]", both.Len())
		return
	}
	if both.Index(1).IsZero() {
		d.want(n.Content[1], path+"[1]", "1 or more") // here 0 would mean the first number
		return
	}
	f.value.Set(both.Index(0))
	f.second.Set(both.Index(1))
	if f.value.Equal(f.second) {
		f.second.SetZero()
	}
}

// pairs yields the keys and the values of a mapping. It reports and leaves out a key that is not
// text, or that comes a second time.
func (d *decoder) pairs(n *yaml.Node, path string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, item *yaml.Node) bool) {
		seen := map[string]int{}
		for i := 0; i < len(n.Content); i += 2 {
			key, item := n.Content[i], n.Content[i+1]
			switch first, again := seen[key.Value]; {
			case key.Kind == yaml.AliasNode || key.Anchor != "" || key.ShortTag() == "!!merge":
				d.problem(key, path, "an anchor, alias or merge key, want the keys themselves (or a file named by base:)")
			case key.Style&yaml.TaggedStyle != 0:
				d.problem(key, path, "the tag %q, want a key without one", key.Tag)
			case key.ShortTag() != "!!str":
				d.problem(key, path, "%s as a key, want text", describe(key))
			case again:
				d.problem(key, join(path, key.Value), "set twice, want it once (it is in line %d too)", first)
			default:
				seen[key.Value] = key.Line
				if !yield(key, item) {
					return
				}
			}
		}
	}
}

// list reads a sequence into a slice, in place of the items that were there.
func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.want(n, path, "a list such as [1, 2]")
		return
	}
	d.note(n, path)
	items := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, items.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(items)
}

// merge returns old with the entries of n put over it; mappings inside merge, too.
func (d *decoder) merge(n *yaml.Node, old map[string]any, path string) map[string]any {
	merged := maps.Clone(old)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, item := range d.pairs(n, path) {
		v := reflect.New(reflect.TypeFor[any]()).Elem()
		if below := merged[key.Value]; below != nil {
			v.Set(reflect.ValueOf(below))
		}
		problems := len(d.problems)
		if d.value(item, v, join(path, key.Value)); len(d.problems) == problems {
			merged[key.Value] = v.Interface()
		}
	}
	return merged
}

// free reads n into an interface, with the type that n has by itself.
func (d *decoder) free(n *yaml.Node, v reflect.Value, path string) {
	var item reflect.Value
	switch n.Kind {
	case yaml.MappingNode:
		old, _ := v.Interface().(map[string]any)
		v.Set(reflect.ValueOf(d.merge(n, old, path)))
		return
	case yaml.SequenceNode:
		item = reflect.New(reflect.TypeFor[[]any]()).Elem()
		d.list(n, item, path)
	default:
		switch n.ShortTag() {
		case "!!null":
			d.want(n, path, "a value")
			return
		case "!!bool":
			item = reflect.New(reflect.TypeFor[bool]()).Elem()
		case "!!int":
			item = reflect.New(reflect.TypeFor[int]()).Elem()
		case "!!float":
			item = reflect.New(reflect.TypeFor[float64]()).Elem()
		default:
			item = reflect.New(reflect.TypeFor[string]()).Elem()
		}
		d.scalar(n, item, path)
	}
	v.Set(item)
}

// scalar reads n into a bool, a number or a string.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	d.note(n, path)
	tag := n.ShortTag()
	switch {
	case v.Kind() == reflect.Bool:
		if tag != "!!bool" {
			d.want(n, path, "true or false")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case v.Kind() == reflect.String:
		// Dates are text here: no setting is a date.
		if tag != "!!str" && tag != "!!timestamp" {
			d.want(n, path, `text (in "quotes" if it looks like something else)`)
			return
		}
		v.SetString(n.Value)
	case v.CanInt():
		i, err := strconv.ParseInt(digits(n), 10, v.Type().Bits())
		if err != nil {
			d.want(n, path, wantInteger(err, "an integer such as 10"))
			return
		}
		v.SetInt(i)
	case v.CanUint():
		u, err := strconv.ParseUint(digits(n), 10, v.Type().Bits())
		if err != nil {
			d.want(n, path, wantInteger(err, "an integer such as 10, not below 0"))
			return
		}
		v.SetUint(u)
	case v.CanFloat():
		f, err := strconv.ParseFloat(digits(n), v.Type().Bits())
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			d.want(n, path, "a finite number")
			return
		}
		v.SetFloat(f)
	default:
		panic(fmt.Sprintf("configs: %s: settings can't be a %s", path, v.Type()))
	}
}

// digits returns the text of a number for strconv. It returns nothing for quoted text, and for
// numbers with leading zeros, which YAML 1.1 reads as octal and YAML 1.2 as decimal.
func digits(n *yaml.Node) string {
	if tag := n.ShortTag(); tag != "!!int" && tag != "!!float" {
		return ""
	}
	text := strings.ReplaceAll(n.Value, "_", "")
	if u := strings.TrimLeft(text, "+-"); len(u) > 1 && u[0] == '0' && '0' <= u[1] && u[1] <= '9' {
		return ""
	}
	return text
}

func wantInteger(err error, want string) string {
	if errors.Is(err, strconv.ErrRange) {
		return "an integer nearer to 0"
	}
	return want
}

// describe shows what n is in a few words and in one line.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "null"
	}
	text := n.Value
	if short := []rune(text); len(short) > 40 {
		text = string(short[:40]) + "..."
	}
	if n.ShortTag() == "!!str" {
		return strconv.Quote(text)
	}
	return text
}
