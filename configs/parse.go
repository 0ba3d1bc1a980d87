package configs

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parse returns the root of the document in text. It is nil if there is none or text is not YAML.
func (d *decoder) parse(text []byte) *yaml.Node {
	if !d.readable(text) {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		d.syntax(text, err)
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		d.problem(&second, "", "a second document, want one")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(text, err)
	}
	root := doc.Content[0]
	if root.ShortTag() == "!!null" && root.Value == "" && root.Style == 0 {
		return nil
	}
	return root
}

// readable reports what yaml.v3 would refuse without a position.
func (d *decoder) readable(text []byte) bool {
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		here := &yaml.Node{Line: line, Column: column}
		switch {
		case r == utf8.RuneError && n == 1:
			d.problem(here, "", "the byte %#02x, want UTF-8 text", text[i])
			return false
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', 0x7f <= r && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			d.problem(here, "", "the control character %U, want text", r)
			return false
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		i += n
	}
	return true
}

// syntax reports an error of yaml.v3, which gives at most a line.
func (d *decoder) syntax(text []byte, err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.HasPrefix(message, "unknown anchor") {
		d.problem(&yaml.Node{}, "", "%s, want the value itself", message)
		return
	}
	here := &yaml.Node{Line: 1}
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message); m != nil {
		here.Line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	for i, line := range strings.Split(string(text), "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && strings.TrimSpace(line) != "" {
			d.problem(&yaml.Node{Line: i + 1, Column: tab + 1}, "", "a tab, want spaces to indent")
			return
		}
	}
	d.problem(here, "", "not YAML near here, want key: value lines (%s)", message)
}
