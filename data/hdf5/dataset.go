package hdf5

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Dataset is an array of integers in a file.
type Dataset struct {
	f *File
	// Shape is the number of elements along each axis, the slowest first; nil for a single number.
	Shape []int
	// Size is that of an element in bytes: 1, 2, 4 or 8.
	Size int
	// Signed says that elements may be negative.
	Signed bool

	bytes   int    // of all elements
	fill    []byte // an element that was never written; nil is zero
	layout  layout
	filters []filter
}

// layout is where the elements of a data set stand.
type layout struct {
	kind          uint64 // 0 compact, 1 contiguous, 2 chunked
	compact       []byte
	address, size uint64 // of contiguous elements, or the address of the tree of chunks
	chunk         []int  // the shape of a chunk
	chunkBytes    int
}

// Dataset reads what a data set is, without its elements.
func (f *File) Dataset(o Object) (*Dataset, error) {
	messages, err := f.header(o)
	if err != nil {
		return nil, err
	}
	d := &Dataset{f: f}
	switch {
	case messages[msgDataspace] == nil || messages[msgDatatype] == nil || messages[msgLayout] == nil:
		err = fmt.Errorf("no data set")
	case messages[msgExternal] != nil:
		err = fmt.Errorf("its elements stand in other files, which is not supported")
	}
	for _, step := range []struct {
		kind uint64
		read func(*cursor) error
	}{
		{msgDataspace, d.readShape}, {msgDatatype, d.readType}, {msgFilters, d.readFilters}, {msgLayout, d.readLayout},
		{msgOldFill, d.readFillValue}, {msgFill, d.readFill},
	} {
		if message, ok := messages[step.kind]; ok && err == nil {
			c := cursor{b: message}
			if err = step.read(&c); err == nil && c.cut {
				err = fmt.Errorf("damaged: message %#x is cut off after %d bytes", step.kind, len(message))
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("object at %#x: %w", uint64(o), err)
	}
	return d, nil
}

// maxRank is the largest number of axes; videos have four.
const maxRank = 8

func (d *Dataset) readShape(c *cursor) error {
	version, rank := c.number(1), int(c.number(1))
	c.number(1) // whether largest sizes follow
	space := c.number(1)
	if version == 1 {
		space = 1
		c.bytes(4)
	}
	switch {
	case version != 1 && version != 2:
		return fmt.Errorf("dataspace version %d, want 1 or 2", version)
	case version == 2 && space > 1:
		return fmt.Errorf("a data set without elements (a null dataspace)")
	case rank > maxRank:
		return fmt.Errorf("%d axes, want up to %d", rank, maxRank)
	}
	d.bytes = 1
	for range rank {
		n := c.number(8)
		if n > maxBytes || int(n)*d.bytes > maxBytes {
			return fmt.Errorf("an axis of %d elements: want a data set of up to %d bytes", n, maxBytes)
		}
		d.Shape = append(d.Shape, int(n))
		d.bytes *= int(n)
	}
	return nil
}

// classes are the names of the classes of types.
var classes = []string{"integer", "floating-point", "time", "string", "bit field", "opaque", "compound", "reference", "enumeration",
	"variable-length", "array"}

func (d *Dataset) readType(c *cursor) error {
	class := int(c.number(1) & 15)
	bits := c.number(3)
	d.Size, d.Signed = int(c.number(4)), bits&8 != 0
	offset, precision := c.number(2), int(c.number(2))
	switch {
	case class != 0:
		name := fmt.Sprint("class ", class)
		if class < len(classes) {
			name = classes[class]
		}
		return fmt.Errorf("elements of type %s, want integer", name)
	case d.Size != 1 && d.Size != 2 && d.Size != 4 && d.Size != 8:
		return fmt.Errorf("integers of %d bytes, want 1, 2, 4 or 8", d.Size)
	case bits&1 != 0 && d.Size > 1:
		return fmt.Errorf("big-endian integers, want little-endian ones")
	case offset != 0 || precision != 8*d.Size:
		return fmt.Errorf("integers of %d bits at bit %d of %d bytes, want all bits", precision, offset, d.Size)
	case d.bytes > maxBytes/d.Size:
		return fmt.Errorf("shape %v of %d bytes each, want up to %d bytes", d.Shape, d.Size, maxBytes)
	}
	d.bytes *= d.Size
	return nil
}

func (d *Dataset) readLayout(c *cursor) error {
	l := &d.layout
	if version := c.number(1); version != 3 {
		return fmt.Errorf("data layout version %d, want 3: write the file anew with h5py's default settings", version)
	}
	l.kind = c.number(1)
	switch l.kind {
	case 0:
		l.size = c.number(2)
		l.compact = c.bytes(l.size)
	case 1:
		l.address, l.size = c.number(8), c.number(8)
	case 2:
		return d.readChunkShape(c)
	default:
		return fmt.Errorf("data layout class %d, want 0 (compact), 1 (contiguous) or 2 (chunked)", l.kind)
	}
	if l.size < uint64(d.bytes) && (l.kind == 0 || l.address != undefined) {
		return fmt.Errorf("damaged: %d bytes for elements of %d", l.size, d.bytes)
	}
	return nil
}

func (d *Dataset) readChunkShape(c *cursor) error {
	l := &d.layout
	rank := int(c.number(1)) - 1
	l.address = c.number(8)
	if rank != len(d.Shape) || rank < 1 {
		return fmt.Errorf("damaged: chunks of %d axes, the data set has %d", rank, len(d.Shape))
	}
	// All chunks together, with what sticks out at the edges, are bounded: they are decoded whole.
	l.chunkBytes = d.Size
	all := d.Size
	for _, size := range d.Shape {
		n := int(c.number(4))
		if n < 1 || n > maxBytes || n*l.chunkBytes > maxBytes || (size+n-1)/n*n*all > maxBytes {
			return fmt.Errorf("chunks of %d elements along an axis of %d: want chunks of up to %d bytes together", n, size, maxBytes)
		}
		l.chunk = append(l.chunk, n)
		l.chunkBytes *= n
		all *= (size + n - 1) / n * n
	}
	if size := int(c.number(4)); size != d.Size {
		return fmt.Errorf("damaged: chunks of elements of %d bytes, the type has %d", size, d.Size)
	}
	return nil
}

func (d *Dataset) readFill(c *cursor) error {
	switch version := c.number(1); version {
	case 1, 2:
		c.bytes(2) // when space is taken and when it is filled
		if defined := c.number(1); defined == 0 && version == 2 {
			return nil
		}
	case 3:
		if c.number(1)&0x20 == 0 {
			return nil
		}
	default:
		return fmt.Errorf("fill value version %d, want 1 to 3", version)
	}
	return d.readFillValue(c)
}

func (d *Dataset) readFillValue(c *cursor) error {
	size := c.number(4)
	if size == 0 {
		return nil
	}
	if size != uint64(d.Size) {
		return fmt.Errorf("damaged: a fill value of %d bytes, elements have %d", size, d.Size)
	}
	d.fill = c.bytes(size)
	return nil
}

// Bytes is the size of all elements in bytes.
func (d *Dataset) Bytes() int { return d.bytes }

// Read reads all elements, row-major and little-endian, into a buffer of [Dataset.Bytes] bytes.
func (d *Dataset) Read(to []byte) error {
	if len(to) != d.bytes {
		return fmt.Errorf("a buffer of %d bytes, want %d", len(to), d.bytes)
	}
	l := d.layout
	switch {
	case len(d.filters) > 0 && l.kind != 2:
		return fmt.Errorf("damaged: filters, but no chunks")
	case l.kind == 0:
		copy(to, l.compact)
		return nil
	case l.address == undefined:
		d.blank(to)
		return nil
	case l.kind == 1:
		from, err := d.f.read(l.address, uint64(d.bytes))
		copy(to, from)
		return err
	}
	return d.readChunks(to)
}

// blank writes what elements are that were never written.
func (d *Dataset) blank(to []byte) {
	clear(to)
	if strings.Trim(string(d.fill), "\x00") == "" {
		return
	}
	for len(to) > 0 {
		to = to[copy(to, d.fill):]
	}
}

// Int reads a data set of a single integer.
func (d *Dataset) Int() (int64, error) {
	if len(d.Shape) != 0 {
		return 0, fmt.Errorf("shape %v, want a single number", d.Shape)
	}
	b := make([]byte, d.Size, 8)
	if err := d.Read(b); err != nil {
		return 0, err
	}
	v := binary.LittleEndian.Uint64(append(b, make([]byte, 8-d.Size)...))
	if unused := 64 - 8*d.Size; d.Signed {
		return int64(v<<unused) >> unused, nil
	}
	if v > 1<<63-1 {
		return 0, fmt.Errorf("%d, want up to %d", v, int64(1<<63-1))
	}
	return int64(v), nil
}
