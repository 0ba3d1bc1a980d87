package configs

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is what is wrong with a setting. [Catalogue.Load] adds where the setting was written.
type Problem struct {
	Path string // in the YAML
	Text string // got and want
	// Also are settings that it contradicts. Of all these, the one that was written last is named
	// as the place, because it broke what was right before.
	Also []string
	// Unused says that the setting just has no effect. This is a mistake only if somebody wrote it,
	// and wrote it after Also, which made it useless. What was written before, in a base, can't be
	// taken back.
	Unused bool
}

func (p Problem) Error() string {
	if p.Path == "" {
		return p.Text
	}
	return p.Path + ": " + p.Text
}

// Problems collects what is wrong with settings.
type Problems []error

// Report notes a problem of a setting.
func (p *Problems) Report(path, text string, also ...string) {
	*p = append(*p, Problem{Path: path, Text: text, Also: also})
}

// Check notes a problem unless ok. The text says what the setting is and what is wanted.
func (p *Problems) Check(ok bool, path string, got any, want string, also ...string) {
	if !ok {
		p.Report(path, fmt.Sprintf("%s, want %s", quoted(got), want), also...)
	}
}

// Unused notes that a setting has no effect, for a reason such as "frames.past is 0".
// also are the settings that make it so.
func (p *Problems) Unused(path string, got any, reason string, also ...string) {
	*p = append(*p, Problem{Path: path, Text: withoutEffect(got, reason), Also: also, Unused: true})
}

func withoutEffect(value any, reason string) string {
	return fmt.Sprintf("%s has no effect because %s", quoted(value), reason)
}

// Err is all problems, one a line, or nil.
func (p Problems) Err() error { return errors.Join(p...) }

// quoted writes a value, text in quotes.
func quoted(value any) string {
	if text, ok := value.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprint(value)
}

// each splits joined errors.
func each(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, each(e)...)
	}
	return all
}

// origin is where a value was set.
type origin struct {
	where string
	layer int // later documents have higher ones; all overrides share the highest
	// override says that it was set by an override.
	override bool
	old      bool // whether it was written in an old spelling
}

// origins maps the YAML paths of values that were set to where each was set last. All others have
// their defaults.
type origins map[string]origin

// at is the latest origin of a setting or of anything inside it.
func (o origins) at(path string) origin {
	if found, ok := o[path]; ok {
		return found
	}
	if list, _, isItem := strings.Cut(path, "["); isItem {
		return o.at(list)
	}
	latest := origin{where: "default"}
	for inside, found := range o {
		if strings.HasPrefix(inside, path+".") && found.layer > latest.layer {
			latest = found
		}
	}
	return latest
}

// last returns the latest origin of the paths; of equally late ones, the first.
func (o origins) last(paths ...string) origin {
	latest := origin{where: "default"}
	for _, path := range paths {
		if found := o.at(path); found.layer > latest.layer {
			latest = found
		}
	}
	return latest
}
