package hdf5

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
)

// The numbers that h5py writes into a superblock: half of the entries of a symbol table node, and
// half of the children of a group's tree node.
const (
	writtenLeafK     = 4
	writtenInternalK = 16
)

// Writer writes a file of the layout that [File] reads: contiguous arrays of bytes, single
// integers, and groups, which are written after what they hold. It goes from the front to the back,
// and keeps nothing but the links of one group in memory.
type Writer struct {
	file io.WriteSeeker
	out  *bufio.Writer
	at   uint64 // where the next object begins, a multiple of 8
	err  error
}

// NewWriter begins a file. Nobody else may write to it.
func NewWriter(file io.WriteSeeker) *Writer {
	w := &Writer{file: file, out: bufio.NewWriterSize(file, 1<<20)}
	w.put(make([]byte, superblockSize)) // [Writer.Close] writes it, when the root is known
	return w
}

// put writes bytes, and zeros up to a multiple of 8. It returns where they begin.
func (w *Writer) put(b []byte) (address uint64) {
	address = w.at
	padded := (len(b) + 7) / 8 * 8
	for _, part := range [][]byte{b, make([]byte, padded-len(b))} {
		if _, err := w.out.Write(part); err != nil && w.err == nil {
			w.err = err
		}
	}
	w.at += uint64(padded)
	return address
}

// record is bytes that are put together from numbers of given sizes, low byte first.
type record []byte

func (r record) number(size int, values ...uint64) record {
	for _, v := range values {
		r = append(r, binary.LittleEndian.AppendUint64(nil, v)[:size]...)
	}
	return r
}

// message is a header message: its type and its body.
type message struct {
	kind uint64
	body record
}

// object writes an object header version 1.
func (w *Writer) object(messages ...message) Object {
	var body record
	for _, m := range messages {
		padded := (len(m.body) + 7) / 8 * 8
		body = body.number(2, m.kind, uint64(padded)).number(4, 0) // flags and reserved bytes
		body = append(append(body, m.body...), make([]byte, padded-len(m.body))...)
	}
	head := record{}.number(1, 1, 0).number(2, uint64(len(messages))).number(4, 1, uint64(len(body)), 0)
	return Object(w.put(append(head, body...)))
}

// array writes the header of a contiguous data set of integers whose bytes stand at an address.
func (w *Writer) array(shape []int, size int, signed bool, address uint64) Object {
	space := record{}.number(1, 1, uint64(len(shape)), 0, 0).number(4, 0)
	bytes := uint64(size)
	for _, n := range shape {
		space = space.number(8, uint64(n))
		bytes *= uint64(n)
	}
	sign := uint64(0)
	if signed {
		sign = 8
	}
	kind := record{}.number(1, 0x10).number(3, sign).number(4, uint64(size)).number(2, 0, uint64(8*size))
	fill := record{}.number(1, 2, 2, 2, 1).number(4, 0) // space is taken late, and no value is given
	layout := record{}.number(1, 3, 1).number(8, address, bytes)
	return w.object(message{msgDataspace, space}, message{msgDatatype, kind}, message{msgFill, fill}, message{msgLayout, layout})
}

// Bytes writes an array of bytes, row-major.
func (w *Writer) Bytes(shape []int, elements []uint8) Object {
	want := 1
	for _, n := range shape {
		want *= n
	}
	if want != len(elements) && w.err == nil {
		w.err = fmt.Errorf("%d bytes, want an array of shape %v", len(elements), shape)
	}
	return w.array(shape, 1, false, w.put(elements))
}

// Int writes a single integer of 64 bits.
func (w *Writer) Int(n int64) Object {
	return w.array(nil, 8, true, w.put(record{}.number(8, uint64(n))))
}

// Group writes a group of links by name. Names are not empty and have no zero byte.
func (w *Writer) Group(links map[string]Object) Object {
	names := slices.Sorted(maps.Keys(links)) // byte by byte, as the tree wants them
	heap := make([]byte, 8)                  // offset 0 is the empty name
	offsets := make([]uint64, len(names))
	for i, name := range names {
		if name == "" || bytes.IndexByte([]byte(name), 0) >= 0 {
			w.err = fmt.Errorf("%q can't be the name of a link", name)
		}
		offsets[i] = uint64(len(heap))
		heap = append(heap, name...)
		heap = append(heap, make([]byte, 8-len(name)%8)...)
	}
	data := w.put(heap)
	heapAt := w.put(append([]byte("HEAP"), record{}.number(4, 0).number(8, uint64(len(heap)), 1, data)...))
	return w.object(message{msgSymbolTable, record{}.number(8, w.tree(w.symbols(names, offsets, links), 0), heapAt)})
}

// branch is a node of a group's tree, and where the last of its names stands in the heap.
type branch struct{ address, last uint64 }

// symbols writes the symbol table nodes of a group.
func (w *Writer) symbols(names []string, offsets []uint64, links map[string]Object) (nodes []branch) {
	for start := 0; start < len(names); start += 2 * writtenLeafK {
		end := min(start+2*writtenLeafK, len(names))
		node := append(record("SNOD"), record{}.number(1, 1, 0).number(2, uint64(end-start))...)
		for i := start; i < end; i++ {
			node = node.number(8, offsets[i], uint64(links[names[i]])).number(8, 0, 0, 0)
		}
		node = append(node, make([]byte, symbolHead+2*writtenLeafK*symbolEntry-len(node))...)
		nodes = append(nodes, branch{w.put(node), offsets[end-1]})
	}
	return nodes
}

// tree writes the tree above nodes, level by level, and returns the address of its root.
func (w *Writer) tree(children []branch, level uint64) uint64 {
	const most, size = 2 * writtenInternalK, treeHead + 16*2*writtenInternalK + 8
	var nodes []branch
	before := uint64(0) // the last name of the node before, or the empty one
	count := max(1, (len(children)+most-1)/most)
	for k := range count {
		own := children[k*most : min((k+1)*most, len(children))]
		left, right := undefined, undefined
		if k > 0 {
			left = w.at - size
		}
		if k < count-1 {
			right = w.at + size
		}
		node := append(record("TREE"), record{}.number(1, 0, level).number(2, uint64(len(own))).number(8, left, right, before)...)
		for _, c := range own {
			node = node.number(8, c.address, c.last)
			before = c.last
		}
		node = append(node, make([]byte, size-len(node))...)
		nodes = append(nodes, branch{w.put(node), before})
	}
	if len(nodes) == 1 {
		return nodes[0].address
	}
	return w.tree(nodes, level+1)
}

// Close ends the file with its root group, and returns the first error that there was.
func (w *Writer) Close(root Object) error {
	if err := w.out.Flush(); err != nil && w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return w.err
	}
	head := append(record(signature), record{}.number(1, 0, 0, 0, 0, 0, 8, 8, 0).number(2, writtenLeafK, writtenInternalK).number(4, 0)...)
	head = head.number(8, 0, undefined, w.at, undefined) // base, free space, end of the file, driver
	head = head.number(8, 0, uint64(root)).number(8, 0, 0, 0)
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := w.file.Write(head)
	return err
}
