package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// A terminal gets no control character from a name: neither in errors nor in warnings.
func TestNamesDoNothingToATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"a\tb\nc é 視頻 \uFFFD": "a\tb\nc é 視頻 \uFFFD",
		"\x1b[31mred\a\r":     `\x1b[31mred\x07\x0d`,
		"bad\xff\xfe":         `bad\xff\xfe`,
		"rtl\u202egnp":        `rtl\u202egnp`,
		"c1\u009b":            `c1\u009b`,
	} {
		if got := visible(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	t.Chdir(t.TempDir())
	const name = "esc\x1b[31mred"
	if err := os.Mkdir(name, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	newApp(&out).log.Warn("a line", "run", name)
	for _, args := range [][]string{{"plot", name, "-o", "a.png"}, {"watch", name + "/missing"}, {name}} {
		_, _, stderr := call(t, args...)
		out.WriteString(stderr)
	}
	if text := out.String(); strings.Contains(text, "\x1b") || strings.Count(text, `\x1b[31mred`) != 4 {
		t.Errorf("a terminal gets %q", text)
	}
}
