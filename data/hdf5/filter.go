package hdf5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// The registered numbers of filters.
const (
	filterGzip       = 1
	filterShuffle    = 2
	filterFletcher32 = 3
	filterLZF        = 32000
)

// others are names of filters that are refused.
var others = map[uint64]string{4: "szip", 5: "nbit", 6: "scale-offset", 307: "bzip2", 32001: "blosc", 32004: "lz4",
	32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32026: "blosc2"}

// filter is one step by which chunks were packed.
type filter struct {
	id     uint64
	values []uint64
}

// checksumSize is how many bytes Fletcher-32 adds to a chunk.
const checksumSize = 4

func (d *Dataset) readFilters(c *cursor) error {
	version, n := c.number(1), c.number(1)
	c.bytes(6)
	switch {
	case version != 1:
		return fmt.Errorf("filter pipeline version %d, want 1: write the file anew with h5py's default settings", version)
	case n > 32:
		return fmt.Errorf("damaged: %d filters, want up to 32", n)
	}
	for range n {
		f := filter{id: c.number(2)}
		name := c.number(2)
		c.number(2) // whether a chunk may go without it, which the chunk says itself
		values := c.number(2)
		c.bytes((name + 7) / 8 * 8)
		for range values {
			f.values = append(f.values, c.number(4))
			if c.cut {
				return nil
			}
		}
		if values%2 == 1 {
			c.bytes(4)
		}
		switch f.id {
		case filterGzip, filterShuffle, filterFletcher32, filterLZF:
		default:
			if others[f.id] == "" {
				return fmt.Errorf("filter %d: want lzf, gzip, shuffle or fletcher32", f.id)
			}
			return fmt.Errorf("filter %d (%s): want lzf, gzip, shuffle or fletcher32", f.id, others[f.id])
		}
		d.filters = append(d.filters, f)
	}
	return nil
}

// decode undoes the filters, the last first, except for those whose bits in skipped are set.
func (d *Dataset) decode(b []byte, skipped uint64) ([]byte, error) {
	applied := func(i int) bool { return skipped>>i&1 == 0 }
	size := d.layout.chunkBytes // before filter i was applied
	for i, f := range d.filters {
		if f.id == filterFletcher32 && applied(i) {
			size += checksumSize
		}
	}
	for i := len(d.filters) - 1; i >= 0; i-- {
		if !applied(i) {
			continue
		}
		var err error
		switch d.filters[i].id {
		case filterGzip:
			b, err = unzip(b, size)
		case filterLZF:
			b, err = unpack(b, size)
		case filterShuffle:
			b = unshuffle(b, d.Size)
		case filterFletcher32:
			size -= checksumSize
			b, err = verified(b)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(b) != d.layout.chunkBytes {
		return nil, fmt.Errorf("damaged: a chunk of %d bytes, want %d", len(b), d.layout.chunkBytes)
	}
	return b, nil
}

func unpack(b []byte, size int) ([]byte, error) {
	to := make([]byte, size)
	if n, err := lzf(to, b); err != nil || n != size {
		return nil, errors.Join(err, fmt.Errorf("LZF gave %d bytes, want %d", n, size))
	}
	return to, nil
}

// unzip undoes the filter gzip, which is a zlib stream (RFC 1950). Reading to its end compares its
// checksum.
func unzip(b []byte, size int) ([]byte, error) {
	r, err := inflater(b)
	if err != nil {
		return nil, fmt.Errorf("damaged: gzip: %w", err)
	}
	defer inflaters.Put(r)
	to := make([]byte, size)
	if n, err := io.ReadFull(r, to); err != nil {
		return nil, fmt.Errorf("damaged: gzip gave %d bytes, want %d: %w", n, size, err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, fmt.Errorf("damaged: gzip: more than %d bytes, or a wrong checksum: %v", size, err)
	}
	return to, nil
}

// inflaters are readers whose tables are used again: a chunk takes little longer than new ones.
var inflaters sync.Pool

func inflater(b []byte) (io.ReadCloser, error) {
	if r, ok := inflaters.Get().(io.ReadCloser); ok {
		return r, r.(zlib.Resetter).Reset(bytes.NewReader(b), nil)
	}
	return zlib.NewReader(bytes.NewReader(b))
}

// unshuffle brings the bytes of an element together again: first come the first bytes of all
// elements, then their second bytes, and so on.
func unshuffle(b []byte, element int) []byte {
	n := len(b) / element
	if element < 2 || n < 2 {
		return b
	}
	to := bytes.Clone(b) // the bytes after the last whole element stay where they are
	for k := range element {
		for i := range n {
			to[i*element+k] = b[k*n+i]
		}
	}
	return to
}

// verified is b without the checksum at its end, if that is right.
func verified(b []byte) ([]byte, error) {
	if len(b) < checksumSize {
		return nil, fmt.Errorf("damaged: a chunk of %d bytes has no checksum", len(b))
	}
	data := b[:len(b)-checksumSize]
	if got, want := fletcher32(data), binary.LittleEndian.Uint32(b[len(data):]); got != want {
		return nil, fmt.Errorf("damaged: a chunk has the checksum %08x, want %08x", got, want)
	}
	return data, nil
}

// fletcher32 is Fletcher's checksum of 16-bit words, the high byte first, a last odd byte being a
// high one. Sums are modulo 65535, but written as 65535 where they are a multiple of it that isn't
// zero.
func fletcher32(b []byte) uint32 {
	fold := func(sum uint64) uint64 {
		if sum == 0 {
			return 0
		}
		return (sum-1)%0xffff + 1
	}
	var low, high uint64
	for len(b) > 0 {
		block := b[:min(len(b), 1<<16)] // far from an overflow of 64 bits
		b = b[len(block):]
		for len(block) > 1 {
			low += uint64(block[0])<<8 | uint64(block[1])
			high += low
			block = block[2:]
		}
		if len(block) == 1 {
			low += uint64(block[0]) << 8
			high += low
		}
		low, high = fold(low), fold(high)
	}
	return uint32(high)<<16 | uint32(low)
}
