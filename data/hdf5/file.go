// Package hdf5 reads data sets of integers from HDF5 files of the oldest layout, which h5py and the
// HDF5 library write by default: superblock version 0, groups as symbol tables, data sets that are
// compact, contiguous or chunked, with the filters LZF, gzip, shuffle and Fletcher-32.
//
// What it doesn't know is refused by name: newer layouts, other filters, other types. The words and
// numbers are those of the "HDF5 File Format Specification Version 2.0". A file is not trusted: all
// addresses, sizes and trees are checked before memory is taken or a loop is begun.
package hdf5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"mcvd/configs/regular"
)

// signature begins every HDF5 file.
const signature = "\x89HDF\r\n\x1a\n"

// superblockSize is the size in bytes of superblock version 0 with the root group's entry.
const superblockSize = 96

// undefined is the address of what was never written.
const undefined = ^uint64(0)

// maxBytes is the size in bytes up to which a data set is read.
const maxBytes = 1 << 28

// maxPart is the size in bytes up to which a part of a file is read at once: a packed chunk, which
// may be a little larger than before, is the largest. A file with holes may claim far more.
const maxPart = 2 * maxBytes

// File is an open HDF5 file. It keeps nothing of what it reads, so it is safe for use by several
// goroutines.
type File struct {
	r         io.ReaderAt
	size      uint64 // of the file in bytes
	leafK     int    // half of the entries of a symbol table node
	internalK int    // half of the children of a group's tree node
	root      Object
	close     func() error
}

// Object is the address of a group or of a data set in a file.
type Object uint64

// Open opens a regular file. An error names it.
func Open(path string) (*File, error) {
	file, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(file, size)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.close = file.Close
	return f, nil
}

// newFile reads the superblock of a file of size bytes.
func newFile(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, size: uint64(size), close: func() error { return nil }}
	head, err := f.read(0, min(f.size, superblockSize))
	if err != nil {
		return nil, err
	}
	switch {
	case len(head) < len(signature) || string(head[:len(signature)]) != signature:
		return nil, errors.New("not an HDF5 file: it doesn't begin with the signature of one")
	case len(head) < superblockSize:
		return nil, fmt.Errorf("cut off: %d bytes, want at least the %d of a superblock", len(head), superblockSize)
	case head[8] != 0:
		return nil, fmt.Errorf("superblock version %d, want 0: write the file anew with h5py's default settings, not with libver='latest'", head[8])
	case head[13] != 8 || head[14] != 8:
		return nil, fmt.Errorf("addresses of %d and lengths of %d bytes, want 8 and 8", head[13], head[14])
	}
	f.leafK, f.internalK = int(binary.LittleEndian.Uint16(head[16:])), int(binary.LittleEndian.Uint16(head[18:]))
	base, end := binary.LittleEndian.Uint64(head[24:]), binary.LittleEndian.Uint64(head[40:])
	switch {
	case f.leafK < 1 || f.internalK < 1:
		return nil, fmt.Errorf("superblock: tree nodes of %d and %d entries, want 1 or more", f.leafK, f.internalK)
	case base != 0:
		return nil, fmt.Errorf("superblock: base address %d, want 0", base)
	case end > f.size:
		return nil, fmt.Errorf("cut off: %d bytes, want %d, as the superblock says", f.size, end)
	}
	f.root = Object(binary.LittleEndian.Uint64(head[64:]))
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// Root is the group that holds everything else.
func (f *File) Root() Object { return f.root }

// read reads n bytes at an address. It fails if they don't lie in the file, before taking memory.
func (f *File) read(address, n uint64) ([]byte, error) {
	if address > f.size || n > f.size-address {
		return nil, fmt.Errorf("damaged: %d bytes at %#x lie outside of the file's %d", n, address, f.size)
	}
	if n > maxPart {
		return nil, fmt.Errorf("damaged: a part of %d bytes at %#x, want up to %d", n, address, maxPart)
	}
	b := make([]byte, n)
	if got, err := f.r.ReadAt(b, int64(address)); got < len(b) {
		return nil, fmt.Errorf("%d bytes at %#x: %w", n, address, err)
	}
	return b, nil
}

// walk reads parts of a structure. Together they may not be larger than the file, which ends every
// walk, whatever addresses a damaged file has.
type walk struct {
	f    *File
	left uint64
}

func (f *File) walk() *walk { return &walk{f, f.size} }

func (w *walk) read(address, n uint64) ([]byte, error) {
	if n > w.left {
		return nil, fmt.Errorf("damaged: the parts of an object are together larger than the file, the last at %#x", address)
	}
	w.left -= n
	return w.f.read(address, n)
}

// cursor reads little-endian numbers one after the other. After the end it gives zeros, and cut is
// true.
type cursor struct {
	b   []byte
	cut bool
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.b, c.cut = nil, true
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

// number reads an unsigned number of n bytes, up to 8.
func (c *cursor) number(n uint64) (v uint64) {
	for i, b := range c.bytes(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}
