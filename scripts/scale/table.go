package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A quantity is what a table shows of a result.
type quantity struct {
	name, heading string
	computes      bool // it says nothing where computing takes no time
	show          func(result) string
}

var quantities = []quantity{
	{"seconds", "seconds a step", false, func(r result) string { return digits(r.seconds) }},
	{"communication", "communication, s", false, func(r result) string { return digits(r.communicating) }},
	{"microseconds", "communication, µs", false, func(r result) string { return digits(r.communicating * 1e6) }},
	{"share", "share of the step", true, func(r result) string { return percent(r.communicating / r.seconds) }},
	{"waiting", "waiting for the slowest", true, func(r result) string { return percent(r.waiting / r.seconds) }},
	{"efficiency", "efficiency", true, func(r result) string { return percent(r.efficiency()) }},
	{"sent", "GB sent", false, func(r result) string { return digits(r.sent / 1e9) }},
}

// usual is what a table shows by default.
const usual = "seconds,communication,share,waiting,efficiency,sent"

// digits shows three of them, or more where they stand before the point.
func digits(x float64) string {
	if x == 0 {
		return "0"
	}
	return strconv.FormatFloat(x, 'f', max(0, 2-int(math.Floor(math.Log10(math.Abs(x))))), 64)
}

// percent shows no -0.0, which rounding would leave of nothing.
func percent(x float64) string { return fmt.Sprintf("%.1f %%", math.Round(1000*x)/10+0) }

// list is an option as it was given: values with commas between them.
type list struct {
	option
	values []string
	given  *[]*list // all lists, as they come
}

func (l *list) String() string { return strings.Join(l.values, ",") }

func (l *list) Set(text string) error {
	if l.values != nil {
		return errors.New("is given twice")
	}
	l.values = strings.Split(text, ",")
	if l.name == "network" && text == "all" {
		l.values = networkNames()
	}
	*l.given = append(*l.given, l)
	return nil
}

func (l *list) IsBoolFlag() bool { return l.value == "false" || l.value == "true" }

// declare gives a set of flags those options that a command has. What is then given, comes in that order.
// Their defaults are shown if they are those of the command.
func declare(flags *flag.FlagSet, has func(name string) bool, defaults bool) *[]*list {
	given := new([]*list)
	for _, o := range options {
		if !has(o.name) {
			continue
		}
		usage := o.usage
		if o.value != "" && defaults {
			usage += " (default " + o.value + ")"
		}
		flags.Var(&list{option: o, given: given}, o.name, usage)
	}
	return given
}

// step is the command that simulates steps. Options with several values make a table: of one, a row has
// each value; of two, the second are its columns.
func step(args []string, out io.Writer) error {
	flags := newFlags("step")
	var names []string
	for _, q := range quantities {
		names = append(names, q.name)
	}
	show := flags.String("show", "", "what the table shows, with commas between: "+strings.Join(names, ", ")+" (default "+usual+", without those that say nothing where computing takes no time); if two options have several values, one of these (default efficiency, or communication)")
	given := declare(flags, func(string) bool { return true }, true)
	if err := parse(flags, args, "Simulates steps. One or two options may have several values, with commas between them: the rows and the columns of a table.", out); err != nil {
		return err
	}
	fixed := map[string]string{}
	var axes []*list
	for _, l := range *given {
		if len(l.values) > 1 {
			axes = append(axes, l)
		} else {
			fixed[l.name] = l.values[0]
		}
	}
	computes := slices.ContainsFunc(*given, func(l *list) bool {
		return (l.name == "compute" || l.name == "flops") && strings.ContainsAny(l.String(), "123456789")
	})
	switch len(axes) {
	case 0, 1:
		shown, err := quantitiesOf(*show, usual, computes)
		if err != nil {
			return err
		}
		return column(out, fixed, axes, shown)
	case 2:
		shown, err := quantitiesOf(*show, "efficiency,communication", computes)
		if err != nil {
			return err
		}
		if *show != "" && len(shown) > 1 {
			return fmt.Errorf("-show %s: with two options of several values, want one of them", *show)
		}
		return grid(out, fixed, axes[0], axes[1], shown[0])
	}
	return fmt.Errorf("%d options have several values, want at most two", len(axes))
}

// quantitiesOf are those that a table shows, or the usual ones of those that say something.
func quantitiesOf(show, usual string, computes bool) (shown []quantity, _ error) {
	for name := range strings.SplitSeq(cmp.Or(show, usual), ",") {
		q, err := quantityOf(name)
		if err != nil {
			return nil, err
		}
		if q.computes && !computes {
			if show != "" {
				return nil, fmt.Errorf("-show %s says nothing where computing takes no time: want -compute, or -flops with -network", name)
			}
			continue
		}
		shown = append(shown, q)
	}
	return shown, nil
}

// column prints a table with a row for each value of an option, if there is one that has several.
func column(out io.Writer, fixed map[string]string, axes []*list, shown []quantity) error {
	var heads []string
	rows := []string{""}
	if len(axes) > 0 {
		heads, rows = append(heads, axes[0].heading), axes[0].values
	}
	for _, q := range shown {
		heads = append(heads, q.heading)
	}
	t := table{out: out}
	t.row(heads...)
	for _, value := range rows {
		var cells []string
		if len(axes) > 0 {
			fixed[axes[0].name] = value
			cells = append(cells, axes[0].label(value))
		}
		s, err := newSettings(fixed)
		if err != nil {
			return err
		}
		r := s.simulate()
		for _, q := range shown {
			cells = append(cells, q.show(r))
		}
		t.row(cells...)
	}
	return t.err
}

// grid prints one quantity for all pairs of values.
func grid(out io.Writer, fixed map[string]string, rows, columns *list, q quantity) error {
	t := table{out: out}
	heads := []string{rows.heading}
	for _, value := range columns.values {
		heads = append(heads, columns.head(value))
	}
	t.row(heads...)
	for _, row := range rows.values {
		fixed[rows.name] = row
		cells := []string{rows.label(row)}
		for _, value := range columns.values {
			fixed[columns.name] = value
			s, err := newSettings(fixed)
			if err != nil {
				return err
			}
			cells = append(cells, q.show(s.simulate()))
		}
		t.row(cells...)
	}
	return t.err
}

// label shows a value at the beginning of a row: names as code.
func (l *list) label(value string) string {
	if l.name == "network" {
		return "`" + value + "`"
	}
	return value
}

// head shows a value above its column.
func (l *list) head(value string) string {
	switch {
	case l.IsBoolFlag():
		return l.heading + ": " + value
	case l.name == "algorithm", l.name == "network", l.name == "jitter":
		return l.label(value)
	case l.name == "gbit", l.name == "bytes":
		return value + " " + l.heading
	}
	return l.heading + " " + value
}

func quantityOf(name string) (quantity, error) {
	var names []string
	for _, q := range quantities {
		if q.name == name {
			return q, nil
		}
		names = append(names, q.name)
	}
	return quantity{}, fmt.Errorf("-show %q, want one of %s", name, strings.Join(names, ", "))
}

// table writes rows in Markdown, the heading first.
type table struct {
	out  io.Writer
	rows int
	err  error
}

func (t *table) row(cells ...string) {
	line := "| " + strings.Join(cells, " | ") + " |\n"
	if t.rows == 0 {
		line += strings.Repeat("| --- ", len(cells)) + "|\n"
	}
	t.rows++
	if t.err == nil {
		_, t.err = io.WriteString(t.out, line)
	}
}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
