package schema

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// value is the type of a key's value.
type value interface {
	int | float64 | bool | string | []int
}

// scan reads a node, or says what it wants instead.
func scan[T value](n *yaml.Node) (v T, want string) {
	switch into := any(&v).(type) {
	case *int:
		*into, want = scanInt(n)
	case *float64:
		*into, want = scanFloat(n)
	case *bool:
		*into, want = scanBool(n)
	case *string:
		if *into = n.Value; n.Kind != yaml.ScalarNode || isNull(n) {
			want = "a name"
		}
	case *[]int:
		*into, want = scanInts(n)
	}
	return v, want
}

func scanInt(n *yaml.Node) (int, string) {
	i, err := strconv.Atoi(digits(n))
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, "an integer nearer to 0"
	case err != nil:
		return 0, "an integer"
	}
	return i, ""
}

// scanFloat also accepts 1e-4, which PyYAML takes for text, because nothing else can be meant.
func scanFloat(n *yaml.Node) (float64, string) {
	text := digits(n)
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xXpPnN") { // in YAML 1.1 hexadecimal, inf and nan are not numbers
		return 0, "a finite number"
	}
	return f, ""
}

// digits is the text of a number. PyYAML reads 1_000 as a number, and 010 as an octal one, which
// nobody means.
func digits(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || isQuoted(n) {
		return ""
	}
	text := strings.ReplaceAll(n.Value, "_", "")
	if u := strings.TrimLeft(text, "+-"); len(u) > 1 && u[0] == '0' && '0' <= u[1] && u[1] <= '9' {
		return ""
	}
	return text
}

// scanBool accepts what PyYAML takes for true and false, and the numbers that Python does.
func scanBool(n *yaml.Node) (bool, string) {
	if n.Kind == yaml.ScalarNode && !isQuoted(n) {
		switch strings.ToLower(n.Value) {
		case "true", "yes", "on", "1":
			return true, ""
		case "false", "no", "off", "0":
			return false, ""
		}
	}
	return false, "true or false"
}

func scanInts(n *yaml.Node) ([]int, string) {
	const want = "a list of integers such as [1, 2]"
	if n.Kind != yaml.SequenceNode {
		return nil, want
	}
	list := make([]int, len(n.Content))
	for i, item := range n.Content {
		v, bad := scanInt(resolve(item))
		if bad != "" {
			return nil, want
		}
		list[i] = v
	}
	return list, ""
}

func isQuoted(n *yaml.Node) bool {
	const quotes = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Style&quotes != 0
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && !isQuoted(n) && slices.Contains([]string{"", "~", "null", "Null", "NULL"}, n.Value)
}

// describe shows what n is in a few words and in one line.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case isNull(n):
		return "null"
	}
	text := n.Value
	if short := []rune(text); len(short) > 40 {
		text = string(short[:40]) + "..."
	}
	if isQuoted(n) || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return strconv.Quote(text)
	}
	return text
}
