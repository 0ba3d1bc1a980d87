package torch

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
)

// maxLong bounds the bytes of an integer, because printing one takes time in the square of its
// length.
const maxLong = 1024

// machine runs a pickle: a program for a stack, with a memo of values to come back to.
type machine struct {
	in         *input
	persistent func(id []any) (any, error) // what stands for a storage; nil where there is none
	stack      []any
	marks      []int // heights of the stack
	memo       []any
}

// unpickle runs the next pickle. Lists, objects and storages in the result aren't settled yet.
func (in *input) unpickle(persistent func(id []any) (any, error)) (any, error) {
	m := &machine{in: in, persistent: persistent}
	for {
		op, err := in.byte()
		if err == nil {
			err = in.spend(1)
		}
		at := in.read - 1
		var v any
		if err == nil && op == '.' {
			if v, err = m.pop(); err == nil {
				return v, nil
			}
		}
		if err == nil {
			if run := instructions[op]; run != nil {
				err = run(m)
			} else {
				err = errors.New("not an instruction that PyTorch writes")
			}
		}
		if err != nil {
			return nil, fmt.Errorf("pickle, instruction %#02x at byte %d: %w", op, at, err)
		}
	}
}

// protoInstruction is the first of every pickle of protocol 2 and later.
const protoInstruction = 0x80

// instructions are those of protocols 2 to 5 that Python's pickler writes, by the names in Python's
// pickle.py. Those for text, extension codes and buffers beside the pickle aren't among them.
var instructions = [256]func(*machine) error{
	protoInstruction: (*machine).proto,

	0x95: (*machine).frame,

	'N':  func(m *machine) error { return m.push(nil, nil) },
	0x88: func(m *machine) error { return m.push(true, nil) },
	0x89: func(m *machine) error { return m.push(false, nil) },
	'K':  func(m *machine) error { n, err := m.in.number(1); return m.push(int64(n), err) },        // BININT1
	'M':  func(m *machine) error { n, err := m.in.number(2); return m.push(int64(n), err) },        // BININT2
	'J':  func(m *machine) error { n, err := m.in.number(4); return m.push(int64(int32(n)), err) }, // BININT
	0x8a: func(m *machine) error { return m.long(1) },                                              // LONG1
	0x8b: func(m *machine) error { return m.long(4) },                                              // LONG4
	'G':  (*machine).float,                                                                         // BINFLOAT

	0x8c: func(m *machine) error { return m.text(1) },  // SHORT_BINUNICODE
	'X':  func(m *machine) error { return m.text(4) },  // BINUNICODE
	0x8d: func(m *machine) error { return m.text(8) },  // BINUNICODE8
	'U':  func(m *machine) error { return m.text(1) },  // SHORT_BINSTRING, the str of Python 2
	'T':  func(m *machine) error { return m.text(4) },  // BINSTRING
	'C':  func(m *machine) error { return m.bytes(1) }, // SHORT_BINBYTES
	'B':  func(m *machine) error { return m.bytes(4) }, // BINBYTES
	0x8e: func(m *machine) error { return m.bytes(8) }, // BINBYTES8
	0x96: func(m *machine) error { return m.bytes(8) }, // BYTEARRAY8

	'(':  func(m *machine) error { m.marks = append(m.marks, len(m.stack)); return nil },
	'0':  func(m *machine) error { _, err := m.pop(); return err },
	'1':  func(m *machine) error { _, err := m.popMark(); return err },
	']':  func(m *machine) error { return m.push(&list{}, nil) },
	')':  func(m *machine) error { return m.push(&list{}, nil) },
	'}':  func(m *machine) error { return m.push(&Dict{}, nil) },
	0x8f: func(m *machine) error { return m.push(&list{}, nil) }, // EMPTY_SET
	't':  (*machine).tuple,
	0x91: (*machine).tuple, // FROZENSET
	0x85: func(m *machine) error { return m.short(1) },
	0x86: func(m *machine) error { return m.short(2) },
	0x87: func(m *machine) error { return m.short(3) },
	'a':  func(m *machine) error { items, err := m.popN(1); return m.extend(items, err) },
	'e':  func(m *machine) error { items, err := m.popMark(); return m.extend(items, err) },
	0x90: func(m *machine) error { items, err := m.popMark(); return m.extend(items, err) }, // ADDITEMS
	's':  func(m *machine) error { items, err := m.popN(2); return m.update(items, err) },
	'u':  func(m *machine) error { items, err := m.popMark(); return m.update(items, err) },

	'q':  func(m *machine) error { i, err := m.in.number(1); return m.put(i, err) },
	'r':  func(m *machine) error { i, err := m.in.number(4); return m.put(i, err) },
	0x94: func(m *machine) error { return m.put(uint64(len(m.memo)), nil) }, // MEMOIZE
	'h':  func(m *machine) error { i, err := m.in.number(1); return m.get(i, err) },
	'j':  func(m *machine) error { i, err := m.in.number(4); return m.get(i, err) },

	'c':  (*machine).global,
	0x93: (*machine).stackGlobal,
	'R':  func(m *machine) error { return m.reduce(2) },
	0x81: func(m *machine) error { return m.reduce(2) }, // NEWOBJ
	0x92: func(m *machine) error { return m.reduce(3) }, // NEWOBJ_EX
	'b':  (*machine).build,
	'Q':  (*machine).load, // BINPERSID
}

// push takes the error of the expression that made v, so that an instruction fits in a line.
func (m *machine) push(v any, err error) error {
	if err == nil {
		m.stack = append(m.stack, v)
	}
	return err
}

// floor is the last mark, below which nothing is popped.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// popN pops the n topmost values. The next push reuses their memory.
func (m *machine) popN(n int) ([]any, error) {
	at := len(m.stack) - n
	if at < m.floor() {
		return nil, errors.New("nothing on the stack")
	}
	items := m.stack[at:]
	m.stack = m.stack[:at]
	return items, nil
}

func (m *machine) pop() (any, error) {
	items, err := m.popN(1)
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

// popMark is popN down to the last mark, which it removes.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("no mark on the stack")
	}
	items, err := m.popN(len(m.stack) - m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return items, err
}

// top returns the topmost value without popping it.
func (m *machine) top() (any, error) {
	v, err := m.pop()
	return v, m.push(v, err)
}

func (m *machine) proto() error {
	version, err := m.in.byte()
	if err == nil && (version < 2 || version > 5) {
		err = fmt.Errorf("protocol %d, want 2 to 5", version)
	}
	return err
}

// frame reads a length that other kinds of readers use.
func (m *machine) frame() error {
	n, err := m.in.number(8)
	if err == nil && n > uint64(m.in.left) {
		err = fmt.Errorf("frame of %d bytes, %d left", n, m.in.left)
	}
	return err
}

// long pushes an integer in two's complement.
func (m *machine) long(width int) error {
	n, err := m.in.number(width)
	if err == nil && n > maxLong {
		err = fmt.Errorf("integer of %d bytes, want %d or fewer", n, maxLong)
	}
	if err != nil {
		return err
	}
	b, err := m.in.take(n)
	if err != nil {
		return err
	}
	slices.Reverse(b)
	v := new(big.Int).SetBytes(b)
	if n > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	if v.IsInt64() {
		return m.push(v.Int64(), nil)
	}
	return m.push(v, nil)
}

// float pushes the one number that is big-endian in a pickle.
func (m *machine) float() error {
	b, err := m.in.take(8)
	if err != nil {
		return err
	}
	var bits uint64
	for _, c := range b {
		bits = bits<<8 | uint64(c)
	}
	return m.push(math.Float64frombits(bits), nil)
}

func (m *machine) text(width int) error {
	b, err := m.in.counted(width)
	return m.push(string(b), err)
}

func (m *machine) bytes(width int) error {
	b, err := m.in.counted(width)
	return m.push(b, err)
}

func (m *machine) tuple() error {
	items, err := m.popMark()
	return m.push(&list{items: slices.Clone(items)}, err)
}

// short pushes a tuple of the n topmost values.
func (m *machine) short(n int) error {
	items, err := m.popN(n)
	return m.push(&list{items: slices.Clone(items)}, err)
}

// extend appends to the list on the stack.
func (m *machine) extend(items []any, err error) error {
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	if o, ok := v.(*object); ok && o.args != nil {
		if o.out.Items == nil {
			o.out.Items = &list{}
		}
		v = o.out.Items
	}
	l, ok := v.(*list)
	if !ok {
		return fmt.Errorf("items for %T, want a list", v)
	}
	l.items = append(l.items, items...)
	return nil
}

// update sets keys of the dict on the stack, to which items alternate between key and value.
func (m *machine) update(items []any, err error) error {
	if err != nil {
		return err
	}
	if len(items)%2 != 0 {
		return errors.New("a key without a value")
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	if o, ok := v.(*object); ok && o.args != nil {
		if o.out.Items == nil {
			o.out.Items = &Dict{}
		}
		v = o.out.Items
	}
	d, ok := v.(*Dict)
	if !ok {
		return fmt.Errorf("keys for %T, want a dict", v)
	}
	for i := 0; i < len(items); i += 2 {
		d.set(items[i], items[i+1])
	}
	return nil
}

// put stores the topmost value in the memo. Python counts the memo up, so an index is never higher
// than the number of instructions so far. A higher one would need memory that is not in proportion
// to the file.
func (m *machine) put(i uint64, err error) error {
	if err != nil {
		return err
	}
	if most := uint64(maxSteps - m.in.steps); i > most {
		return fmt.Errorf("memo index %d after %d instructions", i, most)
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	if n := int(i) + 1; n > len(m.memo) {
		m.memo = slices.Grow(m.memo, n-len(m.memo))[:n]
	}
	m.memo[i] = v
	return nil
}

func (m *machine) get(i uint64, err error) error {
	if err != nil {
		return err
	}
	if i >= uint64(len(m.memo)) {
		return fmt.Errorf("memo index %d, there are %d", i, len(m.memo))
	}
	return m.push(m.memo[i], nil)
}

// load pushes the storage that an identifier names.
func (m *machine) load() error {
	id, err := m.pop()
	if err != nil {
		return err
	}
	l, ok := id.(*list)
	if !ok || m.persistent == nil {
		return errors.New("an identifier that doesn't name a storage")
	}
	v, err := m.persistent(l.items)
	return m.push(v, err)
}
