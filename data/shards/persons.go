package shards

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"mcvd/configs/regular"
	"mcvd/data/clips"
)

// maxPersons is the size in bytes up to which a list of persons is read; KTH's has about 2,000.
const maxPersons = 1 << 20

// readPersons reads the numbers of the videos of each person: a dictionary of lists of integers
// that Python's pickle wrote. A number must be below videos, and no video may have two persons. An
// error names the file.
func readPersons(path string, videos int) (map[int][]int, error) {
	file, err := regular.OpenUpTo(path, maxPersons)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	var persons map[int][]int
	if err == nil {
		persons, err = unpickle(b)
	}
	if err == nil {
		err = checkPersons(persons, videos)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return persons, nil
}

// checkPersons reports persons and videos that KTH does not have.
func checkPersons(persons map[int][]int, videos int) error {
	owner := map[int]int{}
	for person, numbers := range persons {
		if person < 1 || person > clips.LastPerson {
			return fmt.Errorf("person %d, want 1 to %d", person, clips.LastPerson)
		}
		for _, n := range numbers {
			if n < 0 || n >= videos {
				return fmt.Errorf("person %d: video %d, want 0 to %d, which the shards have", person, n, videos-1)
			}
			if _, twice := owner[n]; twice {
				return fmt.Errorf("video %d is listed twice", n)
			}
			owner[n] = person
		}
	}
	return nil
}

// list is a Python list of integers, which may stand at several places.
type list struct{ numbers []int }

// mark is what MARK puts on the stack.
type mark struct{}

// unpickler is the machine that a pickle (PEP 3154) is a program of. It knows dictionaries, lists
// and integers, and runs nothing.
type unpickler struct {
	b     []byte
	stack []any
	memo  map[int]any
}

var errPickle = errors.New("damaged: no dictionary of lists of integers, as Python's pickle writes it")

// unpickle reads a dictionary of lists of integers.
func unpickle(b []byte) (map[int][]int, error) {
	u := unpickler{b: b, memo: map[int]any{}}
	for {
		op, err := u.number(1)
		if err != nil {
			return nil, err
		}
		if op == '.' {
			break
		}
		if err := u.run(byte(op)); err != nil {
			return nil, err
		}
	}
	if len(u.stack) != 1 {
		return nil, errPickle
	}
	dict, ok := u.stack[0].(map[int]*list)
	if !ok {
		return nil, errPickle
	}
	out := map[int][]int{}
	for key, value := range dict {
		out[key] = value.numbers
	}
	return out, nil
}

// number reads an unsigned number of n bytes.
func (u *unpickler) number(n int) (int, error) {
	if n > len(u.b) {
		return 0, errPickle
	}
	var wide [8]byte
	copy(wide[:], u.b[:n])
	u.b = u.b[n:]
	return int(binary.LittleEndian.Uint64(wide[:])), nil
}

// widths are the bytes of the number that follows an opcode.
var widths = map[byte]int{0x80: 1, 0x95: 8, 'K': 1, 'M': 2, 'J': 4, 'q': 1, 'r': 4, 'h': 1, 'j': 4}

// run runs one opcode.
func (u *unpickler) run(op byte) error {
	n, err := u.number(widths[op])
	if err != nil {
		return err
	}
	switch op {
	case 0x80, 0x95: // PROTO, FRAME
		return nil
	case '}':
		u.push(map[int]*list{})
	case ']':
		u.push(&list{})
	case '(':
		u.push(mark{})
	case 'K', 'M':
		u.push(n)
	case 'J':
		u.push(int(int32(n)))
	case 'q', 'r', 0x94: // BINPUT, LONG_BINPUT, MEMOIZE
		if len(u.stack) == 0 {
			return errPickle
		}
		if op == 0x94 {
			n = len(u.memo)
		}
		u.memo[n] = u.stack[len(u.stack)-1]
	case 'h', 'j':
		v, ok := u.memo[n]
		if !ok {
			return errPickle
		}
		u.push(v)
	case 'a', 'e':
		return u.appendTo(u.pop(op == 'a', 1))
	case 's', 'u':
		return u.setItems(u.pop(op == 's', 2))
	default:
		return fmt.Errorf("%w: opcode %#x is not one of pickle's protocols 2 to 5 for these", errPickle, op)
	}
	return nil
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// pop takes the upper n values off the stack, or, if few is false, all above the last mark and the
// mark. It gives nil if they are not there.
func (u *unpickler) pop(few bool, n int) []any {
	from := len(u.stack) - n
	values := from
	if !few {
		for from = len(u.stack) - 1; from >= 0 && u.stack[from] != any(mark{}); from-- {
		}
		values = from + 1
	}
	if from < 1 { // what they go into lies below them
		return nil
	}
	out := u.stack[values:]
	u.stack = u.stack[:from]
	return out
}

// appendTo appends values to the list that is now on top of the stack.
func (u *unpickler) appendTo(values []any) error {
	if values == nil {
		return errPickle
	}
	to, ok := u.stack[len(u.stack)-1].(*list)
	for _, v := range values {
		n, isInt := v.(int)
		if !ok || !isInt {
			return errPickle
		}
		to.numbers = append(to.numbers, n)
	}
	return nil
}

// setItems puts keys and values, in turns, into the dictionary that is now on top of the stack.
func (u *unpickler) setItems(values []any) error {
	if values == nil || len(values)%2 != 0 {
		return errPickle
	}
	to, ok := u.stack[len(u.stack)-1].(map[int]*list)
	for ; len(values) > 0; values = values[2:] {
		key, isInt := values[0].(int)
		value, isList := values[1].(*list)
		if !ok || !isInt || !isList {
			return errPickle
		}
		to[key] = value
	}
	return nil
}
