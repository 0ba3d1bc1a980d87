package configs

import (
	"fmt"
	"reflect"
	"strings"
)

// field is a setting: a struct field under its YAML name.
type field struct {
	name  string
	value reflect.Value
	goes  reflect.StructField
	// second holds the second number of a setting that is one number or a list of two: the field that
	// its tag second names. It is 0 where both are equal.
	second reflect.Value
}

// fields lists the settings of a struct in order, with those of an inlined struct among them.
func fields(v reflect.Value) []field {
	var list []field
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, flags, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case flags == "inline":
			list = append(list, fields(reflect.Indirect(v.Field(i)))...)
		case f.IsExported() && name != "-":
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			setting := field{name: name, value: v.Field(i), goes: f}
			if second, ok := f.Tag.Lookup("second"); ok {
				setting.second = v.FieldByName(second)
			}
			list = append(list, setting)
		}
	}
	return list
}

func lookup(known []field, name string) (field, bool) {
	for _, f := range known {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// suggest says which key an unknown one was probably meant to be, or which keys there are.
// elsewhere are the paths of settings in other places, by name.
func suggest(known []field, name string, elsewhere map[string]string) string {
	best, nearest := 1+max(1, len(name)/3), ""
	try := func(candidate, shown string) {
		if len(name) <= 2*len(candidate) {
			if n := distance(name, candidate); n < best {
				best, nearest = n, shown
			}
		}
	}
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
		try(f.name, f.name)
	}
	for _, other := range Names(elsewhere) {
		try(other, elsewhere[other])
	}
	switch {
	case nearest != "":
		return fmt.Sprintf("did you mean %s?", nearest)
	case len(names) == 0:
		return "want none here"
	}
	return "want one of " + strings.Join(names, ", ")
}

// distance is the number of bytes that must be inserted, removed, replaced or swapped with their
// neighbour to turn a into b (the optimal string alignment distance). Both are short.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		for j := range d[i] {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j-1], d[i-1][j], d[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], 1+d[i-2][j-2])
			}
		}
	}
	return d[len(a)][len(b)]
}

// join appends a key to a YAML path. Keys that are not plain words are quoted, so that errors stay
// one line.
func join(path, key string) string {
	if !isWord(key) {
		key = fmt.Sprintf("%q", key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// isWord reports whether s is letters, digits, - and _ alone.
func isWord(s string) bool {
	other := func(r rune) bool {
		return !(r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	}
	return s != "" && strings.IndexFunc(s, other) < 0
}
