// Package npy reads the headers of .npy files, the format of numpy.save (NumPy enhancement proposal
// 1, versions 1 to 3).
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Magic is what every .npy file begins with.
const Magic = "\x93NUMPY"

// maxHeader is the most bytes of a header that is read. NumPy's own limit is 10,000.
const maxHeader = 1 << 16

// Header is what the header of an .npy file says.
type Header struct {
	Type    string // such as "<f4" or "|u1"
	Fortran bool   // whether the first axis changes fastest
	Shape   []int
	Bytes   int64 // where the numbers begin
}

// ReadHeader reads an .npy file up to where its numbers begin.
func ReadHeader(in io.Reader) (Header, error) {
	magic := make([]byte, len(Magic))
	if _, err := io.ReadFull(in, magic); err != nil {
		return Header{}, errShort(err)
	}
	if string(magic) != Magic {
		return Header{}, errors.New("no .npy file: it begins with something else")
	}
	text, used, err := readText(in)
	if err != nil {
		return Header{}, err
	}
	h, err := parse(text)
	if err != nil {
		return Header{}, fmt.Errorf("the header of .npy: %w", err)
	}
	h.Bytes = int64(len(Magic) + used)
	return h, nil
}

// readText reads the version, the length and the text of the header, and says how many bytes
// these are.
func readText(in io.Reader) (text string, used int, err error) {
	var start [6]byte // the length takes 2 bytes in version 1, else 4
	if _, err := io.ReadFull(in, start[:4]); err != nil {
		return "", 0, errShort(err)
	}
	used, length := 4, int64(binary.LittleEndian.Uint16(start[2:]))
	switch start[0] {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(in, start[4:]); err != nil {
			return "", 0, errShort(err)
		}
		used, length = 6, int64(binary.LittleEndian.Uint32(start[2:]))
	default:
		return "", 0, fmt.Errorf("version %d of .npy, want 1 to 3", start[0])
	}
	if length > maxHeader {
		return "", 0, fmt.Errorf("a header of .npy of %d bytes, want %d or fewer", length, maxHeader)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(in, header); err != nil {
		return "", 0, errShort(err)
	}
	return string(header), used + len(header), nil
}

func errShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the header of .npy is cut off")
	}
	return err
}

// parse reads the literal of a Python dictionary that a header is, such as
//
//	{'descr': '<f4', 'fortran_order': False, 'shape': (100, 1024), }
//
// with these three keys in any order.
func parse(text string) (h Header, err error) {
	s := scanner{rest: text}
	s.want("{")
	seen := map[string]bool{}
	for s.err == nil && !s.take("}") {
		key := s.text()
		s.want(":")
		switch key {
		case "descr":
			if h.Type = s.text(); s.err == nil && !isType(h.Type) {
				s.err = fmt.Errorf("descr: %q, want a type such as <f4", clipped(h.Type))
			}
		case "fortran_order":
			h.Fortran = s.take("True")
			if !h.Fortran {
				s.want("False")
			}
		case "shape":
			h.Shape = s.tuple()
		}
		if s.err == nil && seen[key] {
			s.err = fmt.Errorf("%q is there twice", key)
		}
		seen[key] = true
		if !s.take(",") {
			s.want("}")
			break
		}
	}
	if s.err == nil && strings.TrimSpace(s.rest) != "" {
		s.err = fmt.Errorf("%q after its end", clipped(s.rest))
	}
	if s.err == nil && (len(seen) != 3 || !seen["descr"] || !seen["fortran_order"] || !seen["shape"]) {
		s.err = errors.New("want descr, fortran_order and shape, and nothing else")
	}
	return h, s.err
}

// scanner reads a text from its start. After an error it reads nothing more.
type scanner struct {
	rest string
	err  error
}

// take reads a word, if it comes next.
func (s *scanner) take(word string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(s.rest, " "), word)
	if ok && s.err == nil {
		s.rest = rest
	}
	return ok && s.err == nil
}

func (s *scanner) want(word string) {
	if !s.take(word) && s.err == nil {
		s.err = fmt.Errorf("%q, want %s", clipped(s.rest), word)
	}
}

// text reads a string between quotes.
func (s *scanner) text() string {
	for _, quote := range []string{"'", `"`} {
		if s.take(quote) {
			value, rest, ok := strings.Cut(s.rest, quote)
			if ok {
				s.rest = rest
				return value
			}
		}
	}
	s.want("a name or a type between quotes")
	return ""
}

// tuple reads numbers between parentheses. Python 2 wrote an L behind them.
func (s *scanner) tuple() (numbers []int) {
	s.want("(")
	for s.err == nil && !s.take(")") {
		s.rest = strings.TrimLeft(s.rest, " ")
		digits := s.rest[:len(s.rest)-len(strings.TrimLeft(s.rest, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			s.err = fmt.Errorf("%q, want a number of elements", clipped(s.rest))
			return nil
		}
		numbers, s.rest = append(numbers, n), strings.TrimPrefix(s.rest[len(digits):], "L")
		if !s.take(",") {
			s.want(")")
			break
		}
	}
	return numbers
}

// isType says whether a text may be a type. Whoever refuses the type shows it to people.
func isType(text string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	return text != "" && len(text) <= 40 && !strings.ContainsFunc(text, odd)
}

// clipped is the start of a text.
func clipped(text string) string { return text[:min(len(text), 40)] }
