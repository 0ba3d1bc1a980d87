package weights

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"

	"mcvd/configs/atomicfile"
)

// Entry is a tensor to be written.
type Entry struct {
	Tensor
	// Data returns the elements, little-endian and row-major. It is called once, when the tensor is
	// to be written. What it returns is dropped before the next call.
	Data func() ([]byte, error)
}

// Write makes a safetensors file of the entries and the metadata, whole or not at all: if anything
// fails, path is left as it was.
//
// Equal arguments give equal files. Tensors with wider elements come first, so that each tensor
// starts at a multiple of its elements' width, as PyTorch needs to map them; otherwise they keep
// the order given. Names must be unique; metadata keys that begin with "mcvd.crc32c" are reserved
// for the checksums.
func Write(path string, metadata map[string]string, entries []Entry) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(widths[b.DType], widths[a.DType]) })
	tensors := make([]stored, len(entries))
	var end int64
	for i, e := range entries {
		size, err := e.Size()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		tensors[i] = stored{Tensor: e.Tensor, start: end, end: end + size}
		end += size
	}
	// Checksums have a fixed width, so the header is as long now, with zeros, as it will be with
	// them.
	header, err := formatHeader(metadata, tensors)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, func(tmp *os.File) error {
		if _, err := tmp.Write(header); err != nil {
			return err
		}
		if err := writeData(tmp, tensors, entries); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if header, err = formatHeader(metadata, tensors); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		_, err = tmp.WriteAt(header, 0)
		return err
	})
}

// writeData appends the tensors' bytes to the file and fills in their checksums.
func writeData(file *os.File, tensors []stored, entries []Entry) error {
	w := bufio.NewWriterSize(file, bufferSize)
	for i, e := range entries {
		data, err := e.Data()
		if errors.As(err, new(readError)) {
			return err // which names the tensor
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		if want := tensors[i].end - tensors[i].start; int64(len(data)) != want {
			return fmt.Errorf("tensor %q: got %d bytes, want %d for shape %v of %s", e.Name, len(data), want, e.Shape, e.DType)
		}
		tensors[i].sum = crc32.Checksum(data, castagnoli)
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return w.Flush()
}
