package lerobot

import (
	"encoding/binary"
	"errors"
)

var errThrift = errors.New("damaged: its header is no Thrift of Parquet")

// The types of Thrift's compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// maxDepth is how deep structures may lie in each other; Parquet's lie five deep.
const maxDepth = 16

// walker passes over a structure in Thrift's compact protocol. The library that decodes Parquet
// allocates what the lengths in such a structure say before it reads on. So they are compared with
// the bytes that are there first.
type walker struct{ b []byte }

// thriftSize is how many bytes of b the structure takes that b begins with.
func thriftSize(b []byte) (int, error) {
	w := walker{b}
	err := w.structure(maxDepth)
	return len(b) - len(w.b), err
}

func (w *walker) structure(depth int) error {
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the number of the field follows
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind == thriftTrue || kind == thriftFalse {
			continue // the value is in the type
		} else if err := w.value(kind, depth); err != nil {
			return err
		}
	}
}

// value passes over a value outside of a field's head, where a boolean takes a byte.
func (w *walker) value(kind byte, depth int) error {
	switch {
	case depth == 0:
		return errThrift
	case kind == thriftDouble:
		return w.skip(8)
	case kind == thriftTrue || kind == thriftFalse || kind == thriftByte:
		return w.skip(1)
	case kind > thriftByte && kind <= thriftI64:
		_, err := w.varint()
		return err
	case kind == thriftBinary:
		n, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case kind == thriftList || kind == thriftSet:
		return w.list(depth - 1)
	case kind == thriftMap:
		return errThrift // Parquet has none
	case kind == thriftStruct:
		return w.structure(depth - 1)
	}
	return errThrift
}

func (w *walker) list(depth int) error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = w.varint(); err != nil {
			return err
		}
	}
	for range n { // an element takes a byte or more, so this ends with the bytes
		if err := w.value(head&15, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) byte() (byte, error) {
	if len(w.b) == 0 {
		return 0, errThrift
	}
	b := w.b[0]
	w.b = w.b[1:]
	return b, nil
}

func (w *walker) varint() (uint64, error) {
	x, n := binary.Uvarint(w.b)
	if n <= 0 {
		return 0, errThrift
	}
	w.b = w.b[n:]
	return x, nil
}

func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.b)) {
		return errThrift
	}
	w.b = w.b[n:]
	return nil
}
