package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFile is more text than any experiment has. Longer input is some other file, or a device
// without an end.
const maxFile = 1 << 20

// Load reads the experiment in the YAML file path. It applies, one after the other, the defaults,
// the file that `base:` names, the file itself, and the overrides. A base may have a base of its
// own; its path is relative to the file that names it. Later values replace earlier ones, and
// options merge key by key. An override such as "frames.past=10" stands for the document {frames:
// {past: 10}}. All options of the chosen implementations are filled in.
//
// The error holds every problem, one a line, with the file, line and column or the override that
// set the value: first keys, types and names, then ranges, then what the implementations report
// about the whole.
func (c Catalogue) Load(path string, overrides ...string) (*Config, error) {
	l := loader{catalogue: c, name: path, cfg: Default(), set: origins{}}
	if err := l.file(path, nil); err != nil {
		return nil, err
	}
	return l.finish(overrides)
}

// Parse reads a configuration that [Config.YAML] wrote, then the overrides, like [Catalogue.Load].
// name stands for it in errors. A stored configuration is complete, so it has no `base:`. Settings
// without effect are accepted in it, because they may be inherited.
func (c Catalogue) Parse(name string, text []byte, overrides ...string) (*Config, error) {
	l := loader{catalogue: c, name: name, cfg: Default(), set: origins{}, layer: 1, accepted: 1}
	d := l.decoder(inFile(name))
	if root := d.parse(text); root != nil {
		d.document(root, reflect.ValueOf(l.cfg).Elem())
	}
	l.problems = d.problems
	return l.finish(overrides)
}

// document is what a file holds: a Config and the name of the file below it.
type document struct {
	Base    string `yaml:"base"`
	*Config `yaml:",inline"`
}

// loader applies documents one after the other.
type loader struct {
	catalogue Catalogue
	name      string // of the last document but overrides
	cfg       *Config
	set       origins
	layer     int // of the document being read; 0 is the defaults
	accepted  int // settings of layers up to this one may be without effect
	problems  []error
}

func (l *loader) decoder(at locator) *decoder { return &decoder{at: at, layer: l.layer, set: l.set} }

// finish applies the overrides and returns the configuration, or all problems.
func (l *loader) finish(overrides []string) (*Config, error) {
	l.layer++
	for _, o := range overrides {
		l.override(o)
	}
	r := l.catalogue.resolve(l.cfg, l.set)
	l.report(r.problems)
	if len(l.problems) == 0 {
		l.report(l.cfg.problems(), r.ranges(), l.cfg.unusedOf(l.cfg.idle()), l.cfg.unusedOf(r.idle), r.unused)
	}
	if len(l.problems) == 0 {
		l.report(r.finish(l.catalogue))
	}
	if len(l.problems) > 0 {
		return nil, errors.Join(l.problems...)
	}
	return l.cfg, nil
}

// report notes problems, each with the place where it was written.
func (l *loader) report(lists ...[]error) {
	for _, err := range slices.Concat(lists...) {
		var p Problem
		where, overridden := l.name, false
		if errors.As(err, &p) {
			overridden = l.byOverrides(p)
			at := l.set.last(append([]string{p.Path}, p.Also...)...)
			if p.Unused {
				if at = l.set.at(p.Path); at.layer <= l.accepted || at.layer < l.cause(p) {
					continue
				}
			}
			where = at.where
		}
		err = fmt.Errorf("%s: %w", where, err)
		if overridden {
			err = OverrideError{err}
		}
		l.problems = append(l.problems, err)
	}
}

// OverrideError is what is wrong with overrides by themselves, whatever the files below them say.
type OverrideError struct{ error }

func (e OverrideError) Unwrap() error { return e.error }

// byOverrides says whether all settings of a problem were written by overrides.
func (l *loader) byOverrides(p Problem) bool {
	return !slices.ContainsFunc(append([]string{p.Path}, p.Also...), func(path string) bool {
		return !l.set.at(path).override
	})
}

// cause is the layer that made a setting useless.
func (l *loader) cause(p Problem) int {
	if layer := l.set.last(p.Also...).layer; layer > l.accepted {
		return layer
	}
	return 0
}

// opened is a file in the chain of bases that is being read.
type opened struct {
	path string
	info os.FileInfo
}

// file reads path and applies it after its base. It returns an error only if path can't be read at
// all; other problems are collected. above are the files that led to this one by their bases.
func (l *loader) file(path string, above []opened) error {
	text, info, err := readFile(path)
	if err != nil {
		return err
	}
	chain := append(slices.Clip(above), opened{path, info})
	for _, o := range above {
		if os.SameFile(o.info, info) {
			return fmt.Errorf("a cycle: %s", joinPaths(chain))
		}
	}
	d := l.decoder(inFile(path))
	root := d.parse(text)
	if base := child(root, "base"); base != nil && base.Kind == yaml.ScalarNode && base.Value != "" {
		below := base.Value
		if !filepath.IsAbs(below) {
			below = filepath.Join(filepath.Dir(path), below)
		}
		if err := l.file(below, chain); err != nil {
			d.problem(base, "base", "%v", err)
		}
	}
	l.layer++
	d.layer = l.layer
	if root != nil {
		d.document(root, reflect.ValueOf(&document{Config: l.cfg}).Elem())
	}
	l.problems = append(l.problems, d.problems...)
	return nil
}

// override applies "path=value", where value is YAML.
func (l *loader) override(text string) {
	d := l.decoder(func(int, int) string { return fmt.Sprintf("override %q", text) })
	d.override = true
	defer func() {
		for _, err := range d.problems {
			l.problems = append(l.problems, OverrideError{err})
		}
	}()
	path, value, ok := strings.Cut(text, "=")
	if !ok {
		d.problem(&yaml.Node{}, "", "no equals sign, want path=value such as frames.past=10")
		return
	}
	root := d.parse([]byte(value))
	if len(d.problems) > 0 {
		return
	}
	if root == nil {
		root = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	for _, key := range slices.Backward(strings.Split(path, ".")) {
		root = mapping(key, root)
	}
	d.document(root, reflect.ValueOf(l.cfg).Elem())
}

// ReadFile returns the text of a configuration file, in whatever schema.
func ReadFile(path string) ([]byte, error) {
	text, _, err := readFile(path)
	return text, err
}

// readFile returns the text of path, and what identifies the file. It opens only regular files,
// because opening a named pipe would wait for a writer. Standard input, and files that a shell
// passes as /dev/fd/63, are open already.
func readFile(path string) ([]byte, os.FileInfo, error) {
	isOpen := path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/")
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !isOpen {
		return nil, nil, fmt.Errorf("%s: not a regular file, want a configuration", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes, want a configuration", path, maxFile)
	}
	return text, info, err
}

func joinPaths(chain []opened) string {
	paths := make([]string, len(chain))
	for i, o := range chain {
		paths[i] = o.path
	}
	return strings.Join(paths, " -> ")
}

// inFile locates nodes as editors and compilers do.
func inFile(name string) locator {
	return func(line, column int) string {
		switch {
		case line == 0:
			return name
		case column == 0:
			return fmt.Sprintf("%s:%d", name, line)
		}
		return fmt.Sprintf("%s:%d:%d", name, line, column)
	}
}

// child returns the first value of key in a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
