package configs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Resolve checks a configuration that a program made, and completes its options, as
// [Catalogue.Load] does. An option that has no effect on the chosen implementations is an error.
func (c Catalogue) Resolve(cfg *Config) error {
	r := c.resolve(cfg, nil)
	problems := append(r.problems, r.unused...)
	if len(problems) == 0 {
		problems = append(cfg.problems(), r.ranges()...)
	}
	if len(problems) == 0 {
		problems = slices.DeleteFunc(r.finish(c), func(err error) bool {
			var p Problem
			return errors.As(err, &p) && p.Unused // it is not known where settings were written
		})
	}
	return errors.Join(problems...)
}

// resolution is what a configuration chose from a catalogue's tables.
type resolution struct {
	cfg      *Config
	sections []*section
	problems Problems // unknown names and keys, and values of another type than the option's
	unused   Problems // options of implementations that were not chosen
	idle     []idleSetting
}

// section is a section of options with the implementations that were chosen for it.
type section struct {
	path   string
	tables []Table
	raw    Options           // as written
	chosen map[string]string // names by the paths of tables' choices
	open   bool              // whether an unknown name was chosen, whose options are not known
	read   []reflect.Value   // the options' structs, decoded
	known  []field           // of all these
}

// resolve decodes all options. set says where settings were written; nil if that is not known.
func (c Catalogue) resolve(cfg *Config, set origins) *resolution {
	r := &resolution{cfg: cfg}
	for _, path := range c.sections() {
		raw, _ := setting(reflect.ValueOf(cfg).Elem(), path).Interface().(Options)
		s := &section{path: path, tables: c.of(path), raw: raw, chosen: map[string]string{}}
		r.choose(s)
		r.decode(s, set)
		r.sections = append(r.sections, s)
	}
	return r
}

// choose finds the chosen implementations of a section's tables.
func (r *resolution) choose(s *section) {
	for _, t := range s.tables {
		name, active := s.name(r.cfg, t)
		if !active {
			continue
		}
		entry, err := Pick(t.Options, t.Choice, name)
		if err != nil {
			path, text, _ := strings.Cut(err.Error(), ": ")
			r.problems.Report(path, text)
			s.open = true
			continue
		}
		s.chosen[t.Choice] = name
		if ignored := t.Ignores[name]; len(ignored.Paths) > 0 {
			r.ignore(t, ignored)
		}
		if options, has := structOf(entry); has {
			s.read = append(s.read, options)
			s.known = targetFields(s.path, s.read)
		}
	}
}

// name is the YAML's value at a table's choice. The choice may be an option of an implementation
// that was chosen before. If that has no such option, the table is not active.
func (s *section) name(cfg *Config, t Table) (name string, active bool) {
	key, isOption := strings.CutPrefix(t.Choice, s.path+".")
	if !isOption {
		return setting(reflect.ValueOf(cfg).Elem(), t.Choice).String(), true
	}
	f, ok := lookup(s.known, key)
	if !ok {
		return "", false
	}
	if written, isText := s.raw[key].(string); isText {
		return written, true
	}
	return f.value.String(), true
}

// decode reads what was written into the chosen implementations' options. Each key must belong to
// one of them.
func (r *resolution) decode(s *section, set origins) {
	own := Options{}
	for _, key := range Names(s.raw) {
		value := s.raw[key]
		if _, ok := lookup(s.known, key); ok {
			own[key] = value
		} else if s.open {
			continue
		} else if cause, reason, ok := s.owner(key, value, set.at(join(s.path, key)).old); ok {
			if reason != "" {
				r.unused = append(r.unused, Problem{Path: join(s.path, key), Unused: true, Also: []string{cause},
					Text: withoutEffect(value, reason)})
			}
		} else {
			r.problems.Report(join(s.path, key), "unknown key, "+suggest(s.known, key, nil))
		}
	}
	d := decoder{}
	d.fields(encode(reflect.ValueOf(own)), s.known, s.path)
	r.problems = append(r.problems, d.problems...)
}

// owner finds the implementation that an option belongs to, among those that were not chosen. It
// returns the setting that would have chosen it, and why the option has no effect. A default in an
// old spelling is accepted, because programs used to write all of them.
func (s *section) owner(key string, value any, old bool) (cause, reason string, ok bool) {
	for _, t := range s.tables {
		for _, name := range Names(t.Options) {
			options, has := structOf(t.Options[name])
			if !has {
				continue
			}
			f, has := lookup(fields(options), key)
			if !has {
				continue
			}
			cause := t
			if _, active := s.chosen[t.Choice]; !active {
				cause = s.tables[0] // which chose an implementation without that choice
			}
			if old && flow(encode(f.value)) == flow(encode(reflect.ValueOf(value))) {
				return cause.Choice, "", true
			}
			return cause.Choice, fmt.Sprintf("%s is %s", cause.Choice, s.chosen[cause.Choice]), true
		}
	}
	return "", "", false
}

// ignore notes the settings that a chosen implementation ignores.
func (r *resolution) ignore(t Table, ignored Ignored) {
	for _, path := range ignored.Paths {
		r.idle = append(r.idle, idleSetting{path, t.Choice, ignored.Reason})
	}
}

// ranges reports options that their tags do not allow.
func (r *resolution) ranges() Problems {
	var p Problems
	for _, s := range r.sections {
		for _, f := range s.known {
			p.checkValue(f.value, join(s.path, f.name), f.goes.Tag)
		}
	}
	return p
}

// finish writes all options into the configuration, with their defaults, and returns what the
// implementations report about the whole. Settings without effect get their defaults, as if nobody
// had written them: they would be refused in the file that [Config.YAML] writes, and tell experiments
// apart that are the same.
func (r *resolution) finish(c Catalogue) []error {
	ours, standard := reflect.ValueOf(r.cfg).Elem(), reflect.ValueOf(Default()).Elem()
	for _, i := range append(r.cfg.idle(), r.idle...) {
		setting(ours, i.path).Set(setting(standard, i.path))
	}
	for _, s := range r.sections {
		for _, options := range s.read {
			if o, ok := options.Addr().Interface().(Completer); ok {
				o.Complete(r.cfg, func(key string) bool { _, ok := s.raw[key]; return ok })
			}
		}
		setting(ours, s.path).Set(reflect.ValueOf(optionsOf(s.known)))
	}
	r.cfg.ignored = nil
	for _, i := range r.idle {
		r.cfg.ignored = append(r.cfg.ignored, i.path)
	}
	slices.Sort(r.cfg.ignored)
	if c.Check == nil {
		return nil
	}
	return each(c.Check(r.cfg))
}

// OptionsOf are all options in a struct with yaml tags, or a pointer to one: the inverse of
// [Options.Decode].
func OptionsOf(options any) Options {
	return optionsOf(fields(reflect.Indirect(reflect.ValueOf(options))))
}

func optionsOf(known []field) Options {
	if len(known) == 0 {
		return nil
	}
	o := Options{}
	for _, f := range known {
		o[f.name] = plain(f.value)
	}
	return o
}

// plain is a value in the types that a file gives to values without a declared type.
func plain(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Struct:
		return map[string]any(optionsOf(fields(v)))
	case v.Kind() == reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = plain(v.Index(i))
		}
		return items
	case v.CanInt():
		return int(v.Int())
	case v.CanUint():
		return int(v.Uint())
	case v.CanFloat():
		return v.Float()
	}
	return v.Interface()
}

// setting is the field of a configuration at a YAML path. A path that doesn't exist is a
// programming error.
func setting(v reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(path, ".") {
		f, ok := lookup(fields(v), name)
		if !ok {
			panic(fmt.Sprintf("configs: there is no setting %s", path))
		}
		v = f.value
	}
	return v
}
