package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// visible is a text for a terminal, whatever is in it: names of files and what others wrote may hold
// any bytes, and a terminal does what its control characters say. Ends of lines and tabs stay.
func visible(text string) string { return escaped(text, unicode.IsPrint) }

// harmless are characters that do nothing to a terminal. Results may hold more of them than messages:
// YAML and JSON that is printed must mean the same after that, and they escape control characters
// themselves, but for some that JSON leaves as they are.
func harmless(r rune) bool { return !unicode.IsControl(r) }

// escaped writes what isn't plain as Go and JSON do. An escaped character in JSON's text still is the
// same text.
func escaped(text string, plain func(rune) bool) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		high, low := utf16.EncodeRune(r)
		switch {
		case r == '\n' || r == '\t' || plain(r) && (r != utf8.RuneError || n > 1):
			b.WriteString(text[:n])
		case n == 1 && text[0] != 0x7f:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case high != utf8.RuneError:
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[n:]
	}
	return b.String()
}

// shown is where a command writes for people. Whatever it writes, a terminal gets only characters that
// are plain. Several goroutines may write.
type shown struct {
	out   io.Writer
	plain func(rune) bool

	mutex sync.Mutex
	rest  []byte // the first bytes of a character of which more is to come
}

// Write implements io.Writer.
func (s *shown) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	text := append(s.rest, p...)
	whole := len(text)
	for i := max(0, whole-utf8.UTFMax+1); i < whole; i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			whole = i
		}
	}
	s.rest = bytes.Clone(text[whole:])
	return len(p), s.write(text[:whole])
}

// Flush writes a character that was never ended.
func (s *shown) Flush() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	text := s.rest
	s.rest = nil
	return s.write(text)
}

func (s *shown) write(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	_, err := io.WriteString(s.out, escaped(string(text), s.plain))
	return err
}
