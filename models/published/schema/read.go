package schema

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFile is more text than any experiment has, and maxProblems more problems than anybody reads.
const (
	maxFile     = 1 << 20
	maxProblems = 50
)

// parse returns the mapping that the one document of text is.
func parse(path string, text []byte) (*yaml.Node, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, want a configuration of at most %d", path, len(text), maxFile)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: empty, want sections such as data and model", path)
	case err != nil:
		return nil, fmt.Errorf("%s: not YAML: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("%s:%d: a second document, want one", path, second.Line)
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: not YAML: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d:%d: %s, want sections such as data and model", path, root.Line, root.Column, describe(root))
	}
	return root, nil
}

// resolve follows an alias; dumps of Python objects have them.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// problem is what is wrong in one place.
type problem struct {
	line, column int // 0 for what is missing
	text         string
}

// reader reads the keys of a document and keeps track of them.
type reader struct {
	path     string
	values   map[string]*yaml.Node // by "section.key"; what is in no section, by its own name
	order    []string              // keys as in the file
	lines    map[string]int        // of keys
	seen     map[string]bool       // keys that were asked for
	from     map[string]string     // the key from which a setting of mcvd was read
	missing  []string
	notes    []string
	problems []problem
}

func newReader(path string) *reader {
	return &reader{path: path, values: map[string]*yaml.Node{}, lines: map[string]int{}, seen: map[string]bool{}, from: map[string]string{}}
}

func (r *reader) problem(n *yaml.Node, key, format string, args ...any) {
	p := problem{text: key + ": " + fmt.Sprintf(format, args...)}
	if n != nil {
		p.line, p.column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

func (r *reader) note(key, format string, args ...any) {
	r.notes = append(r.notes, key+": "+fmt.Sprintf(format, args...))
}

// err joins the problems in the order of the file; what is missing comes last.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		if (a.line == 0) != (b.line == 0) {
			return cmp.Compare(b.line, a.line)
		}
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for i, p := range r.problems {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%s: %d more problems, which are not shown", r.path, len(r.problems)-i))
			break
		}
		at := r.path
		if p.line > 0 {
			at = fmt.Sprintf("%s:%d:%d", r.path, p.line, p.column)
		}
		errs = append(errs, fmt.Errorf("%s: %s", at, p.text))
	}
	return errors.Join(errs...)
}

// load finds the keys of text. Tags are ignored: a dump of Python's namespaces has one for each
// section.
func (r *reader) load(text []byte) error {
	root, err := parse(r.path, text)
	if err != nil {
		return err
	}
	r.pairs(root, "", func(name string, item *yaml.Node) {
		switch name {
		case "data", "model", "optim", "sampling", "training":
			if item.Kind != yaml.MappingNode {
				r.problem(item, name, "%s, want a mapping of settings", describe(item))
				return
			}
			r.pairs(item, name+".", r.add)
		default:
			r.add(name, item)
		}
	})
	return r.err()
}

func (r *reader) add(key string, item *yaml.Node) {
	r.values[key] = item
	r.order = append(r.order, key)
}

// pairs yields the keys of a mapping, each with prefix before it, and their values.
func (r *reader) pairs(n *yaml.Node, prefix string, yield func(key string, item *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		name := prefix + key.Value
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
			r.problem(key, strings.TrimSuffix(name, "."), "%s as a key, want a name", describe(key))
		case first[key.Value] > 0:
			r.problem(key, name, "set twice, want it once (it is in line %d too)", first[key.Value])
		default:
			first[key.Value] = key.Line
			r.lines[name] = key.Line
			yield(name, resolve(n.Content[i+1]))
		}
	}
}

// opt reads a key that may be missing: then absent is what the published code takes. It reports
// whether the key is there and valid. ours is the setting of mcvd that the key determines, if any.
func opt[T value](r *reader, key, ours string, into *T, absent T) bool {
	r.seen[key] = true
	if ours != "" {
		r.from[ours] = key
	}
	n, ok := r.values[key]
	if !ok {
		*into = absent
		return false
	}
	got, want := scan[T](n)
	if want != "" {
		r.problem(n, key, "%s, want %s", describe(n), want)
		return false
	}
	*into = got
	return true
}

// need reads a key without which the network is not determined.
func need[T value](r *reader, key, ours string, into *T) bool {
	if _, ok := r.values[key]; !ok {
		_, want := scan[T](&yaml.Node{})
		r.problem(nil, key, "missing, want %s", want)
	}
	return opt(r, key, ours, into, *into)
}

// keep reads a key that the published code requires. If it is missing, into stays as it is and a
// note says so.
func keep[T value](r *reader, key, ours string, into *T) bool {
	if _, ok := r.values[key]; !ok {
		r.missing = append(r.missing, fmt.Sprintf("%s (%s)", key, ours))
	}
	return opt(r, key, ours, into, *into)
}

// must reports key if it has another value than want, the only one that mcvd can do.
func must[T int | float64 | bool | string](r *reader, key string, want T, why string) {
	var got T
	if opt(r, key, "", &got, want) && got != want {
		r.problem(r.values[key], key, "%v, want %v: %s", got, want, why)
	}
}
