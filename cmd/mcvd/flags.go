package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// most is the most that can be asked for of anything counted: more is a slip of the hand, and would
// end in a lack of memory.
const most = 1_000_000

// text is the value of a flag that not every text will do for. want reports one that won't.
type text struct {
	value *string
	want  func(string) error
}

func (t text) Set(value string) error {
	if err := t.want(value); err != nil {
		return err
	}
	*t.value = value
	return nil
}

func (t text) String() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

func (text) Type() string { return "string" }

// oneOf is the value of a flag that is one of several names.
func oneOf(value *string, names []string) text {
	return text{value, func(name string) error {
		if !slices.Contains(names, name) {
			return fmt.Errorf("want one of %s", strings.Join(names, ", "))
		}
		return nil
	}}
}

// someOf is the value of a flag that is several names, each once, separated by commas or given one
// by one.
type someOf struct {
	values *[]string
	names  []string
	given  bool // whether the values are no longer the default
}

func (s *someOf) Set(value string) error {
	if !s.given {
		*s.values = nil
	}
	s.given = true
	for name := range strings.SplitSeq(value, ",") {
		if !slices.Contains(s.names, name) {
			return fmt.Errorf("unknown %q, want some of %s", name, strings.Join(s.names, ", "))
		}
		if slices.Contains(*s.values, name) {
			return fmt.Errorf("%s is there twice, want it once", name)
		}
		*s.values = append(*s.values, name)
	}
	return nil
}

func (s *someOf) String() string {
	if s.values == nil {
		return ""
	}
	return strings.Join(*s.values, ",")
}

func (*someOf) Type() string { return "strings" }

// number is the value of a flag that is an integer in a range.
type number struct {
	value    *int
	min, max int
}

// count is the value of a flag that counts something.
func count(value *int) number { return number{value, 1, most} }

func (n number) Set(text string) error {
	i, err := strconv.Atoi(text)
	if err != nil || i < n.min || i > n.max {
		return fmt.Errorf("want %d to %d", n.min, n.max)
	}
	*n.value = i
	return nil
}

func (n number) String() string {
	if n.value == nil {
		return "0"
	}
	return strconv.Itoa(*n.value)
}

func (number) Type() string { return "int" }

// seedList is the value of a flag that is several seeds, each once, separated by commas or given one
// by one.
type seedList struct{ values *[]uint64 }

func (s seedList) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		seed, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return fmt.Errorf("%q, want %s, or several separated by commas", part, numbers["uint64"])
		}
		if slices.Contains(*s.values, seed) {
			return fmt.Errorf("%d is there twice, want it once", seed)
		}
		*s.values = append(*s.values, seed)
	}
	return nil
}

func (s seedList) String() string {
	if s.values == nil || len(*s.values) == 0 {
		return ""
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(*s.values), "[]"), " ", ",")
}

func (seedList) Type() string { return "seeds" }

// optionList is the value of a flag for options, each of which is NAME=VALUE.
type optionList struct{ values *[]string }

func (o optionList) Set(text string) error {
	if name, _, ok := strings.Cut(text, "="); !ok || name == "" {
		return errors.New("want NAME=VALUE such as order=2")
	}
	*o.values = append(*o.values, text)
	return nil
}

func (optionList) String() string { return "" }

func (optionList) Type() string { return "NAME=VALUE" }

// frameRate is the value of a flag that is a number of frames a second.
type frameRate struct{ value *float64 }

func (r frameRate) Set(text string) error {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f > 0 && f <= 1000) {
		return errors.New("want more than 0, at most 1000")
	}
	*r.value = f
	return nil
}

func (r frameRate) String() string {
	if r.value == nil {
		return "0"
	}
	return strconv.FormatFloat(*r.value, 'g', -1, 64)
}

func (frameRate) Type() string { return "float" }

// flagError words the error of a flag.
func flagError(cmd *cobra.Command, err error) error {
	if bad := (*pflag.InvalidValueError)(nil); errors.As(err, &bad) {
		value := bad.GetValue()
		if value == "" || strings.ContainsAny(value, " \t\n") {
			value = strconv.Quote(value)
		}
		cause := bad.Unwrap()
		if errors.As(cause, new(*strconv.NumError)) {
			cause = fmt.Errorf("want %s", numbers[bad.GetFlag().Value.Type()])
		}
		err = fmt.Errorf("--%s %s: %w", bad.GetFlag().Name, value, cause)
	}
	return fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())
}

// numbers words what pflag's own types of numbers want.
var numbers = map[string]string{
	"bool":    "true or false",
	"float64": "a number",
	"int":     "an integer",
	"uint64":  fmt.Sprintf("an integer from 0 to %d", uint64(math.MaxUint64)),
}
