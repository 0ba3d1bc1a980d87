// Package tfrecord reads TensorFlow's TFRecord files and the tf.train.Example messages in them.
package tfrecord

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"mcvd/configs/regular"
)

// A record is 8 bytes of length, the masked CRC-32C of these, the data, and the masked CRC-32C of
// the data; numbers have the low byte first.
const (
	headBytes = 12
	tailBytes = 4
	// maxRecord is the most bytes that a record may have. BAIR's have less than a million.
	maxRecord = 1 << 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum that is written. CRCs of data that hold CRCs would be weak, so it is turned
// by 15 bits and a number is added.
func masked(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// span is where the data of a record are.
type span struct{ start, bytes int64 }

// File is an open file of records. It is safe for use by several goroutines.
type File struct {
	from    io.ReaderAt
	close   func() error
	records []span
}

// Open opens a file and finds its records by their heads alone, whose checksums are compared. Errors
// name the file.
func Open(path string) (*File, error) {
	file, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	records, err := index(file, size)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{file, file.Close, records}, nil
}

// index finds the records of a file of size bytes.
func index(from io.ReaderAt, size int64) ([]span, error) {
	var records []span
	var head [headBytes]byte
	for at := int64(0); at < size; {
		if size-at < headBytes+tailBytes {
			return nil, fmt.Errorf("record %d: cut off at byte %d", len(records), size)
		}
		if _, err := from.ReadAt(head[:], at); err != nil {
			return nil, fmt.Errorf("record %d: %w", len(records), err)
		}
		if got, want := masked(head[:8]), binary.LittleEndian.Uint32(head[8:]); got != want {
			return nil, fmt.Errorf("record %d: the length at byte %d has checksum %08x, want %08x: damaged, or no TFRecord file", len(records), at, got, want)
		}
		length := binary.LittleEndian.Uint64(head[:8])
		if length > maxRecord {
			return nil, fmt.Errorf("record %d: %d bytes, want %d or fewer", len(records), length, maxRecord)
		}
		if int64(length) > size-at-headBytes-tailBytes {
			return nil, fmt.Errorf("record %d: cut off: %d bytes from byte %d on, the file has %d", len(records), length, at, size)
		}
		records = append(records, span{at + headBytes, int64(length)})
		at += headBytes + int64(length) + tailBytes
	}
	return records, nil
}

// Len is the number of records.
func (f *File) Len() int { return len(f.records) }

// Close closes the file.
func (f *File) Close() error { return f.close() }

// Read reads the data of record i, 0 <= i < Len, and compares their checksum.
func (f *File) Read(i int) ([]byte, error) {
	r := f.records[i]
	b := make([]byte, r.bytes+tailBytes)
	if _, err := f.from.ReadAt(b, r.start); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file has become shorter since it was opened")
		}
		return nil, fmt.Errorf("record %d: %w", i, err)
	}
	data, sum := b[:r.bytes:r.bytes], binary.LittleEndian.Uint32(b[r.bytes:])
	if got := masked(data); got != sum {
		return nil, fmt.Errorf("record %d: damaged: checksum %08x, want %08x", i, got, sum)
	}
	return data, nil
}
