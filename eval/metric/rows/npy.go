package rows

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	npyMagic = "\x93NUMPY"
	// maxNPYHeader is the most bytes of a header that is read. NumPy's own limit is 10,000.
	maxNPYHeader = 1 << 16
)

// npyHeader is what the header of an .npy file says.
type npyHeader struct {
	descr   string
	fortran bool // whether the first axis changes fastest
	shape   []int
}

// readNPY reads what follows the magic string of an .npy file of size bytes (NumPy enhancement
// proposal 1, versions 1 to 3).
func readNPY(f io.Reader, size int64) ([][]float32, error) {
	in := bufio.NewReaderSize(f, 1<<20)
	text, used, err := readNPYHeader(in)
	if err != nil {
		return nil, err
	}
	h, err := parseNPYHeader(text)
	if err != nil {
		return nil, fmt.Errorf("the header of .npy: %w", err)
	}
	number, width, err := npyNumber(h.descr)
	if err != nil {
		return nil, err
	}
	n, d, err := twoAxes(h.shape)
	if err != nil {
		return nil, err
	}
	rest := size - int64(len(npyMagic)) - int64(used)
	if n > math.MaxInt/d/width || int64(n*d*width) != rest {
		return nil, fmt.Errorf("%d bytes after the header, want those of %d x %d numbers of %d bytes: truncated, or followed by something else", rest, n, d, width)
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, d)
	}
	place := func(i int) *float32 { return &rows[i/d][i%d] }
	if h.fortran {
		place = func(i int) *float32 { return &rows[i%n][i/n] }
	}
	buf := make([]byte, width)
	for i := range n * d {
		if _, err := io.ReadFull(in, buf); err != nil {
			return nil, err
		}
		*place(i) = number(buf)
	}
	return rows, nil
}

// readNPYHeader reads the version, the length and the text of the header, and says how many bytes
// these are.
func readNPYHeader(in io.Reader) (text string, used int, err error) {
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
	if length > maxNPYHeader {
		return "", 0, fmt.Errorf("a header of .npy of %d bytes, want %d or fewer", length, maxNPYHeader)
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

// npyNumber is how a number of a type is read, and how many bytes it has.
func npyNumber(descr string) (number func([]byte) float32, width int, err error) {
	var order binary.ByteOrder = binary.LittleEndian
	if strings.HasPrefix(descr, ">") {
		order = binary.BigEndian
	}
	switch strings.TrimLeft(descr, "<>") {
	case "f4":
		return func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) }, 4, nil
	case "f8":
		return func(b []byte) float32 { return float32(math.Float64frombits(order.Uint64(b))) }, 8, nil
	}
	return nil, 0, fmt.Errorf("an array of %s, want float32 or float64", descr)
}

// parseNPYHeader reads the literal of a Python dictionary that a header is, such as
//
//	{'descr': '<f4', 'fortran_order': False, 'shape': (100, 1024), }
//
// with these three keys in any order.
func parseNPYHeader(text string) (h npyHeader, err error) {
	s := scanner{rest: text}
	s.want("{")
	seen := map[string]bool{}
	for s.err == nil && !s.take("}") {
		key := s.text()
		s.want(":")
		switch key {
		case "descr":
			h.descr = s.text()
		case "fortran_order":
			h.fortran = s.take("True")
			if !h.fortran {
				s.want("False")
			}
		case "shape":
			h.shape = s.tuple()
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

// clipped is the start of a text.
func clipped(text string) string { return text[:min(len(text), 40)] }
