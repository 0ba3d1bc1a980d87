package weights

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"mcvd/configs/regular"
)

// bufferSize is what streaming reads and writes take at a time, in bytes: a multiple of every
// element's width.
const bufferSize = 1 << 20

// File is an open safetensors file. Its methods, except Close, may be called from several
// goroutines.
type File struct {
	path     string
	data     io.ReaderAt // the tensors' bytes, after the header
	closer   io.Closer
	metadata map[string]string
	tensors  []stored // in file order
	index    map[string]int
}

// Open reads the header of a safetensors file, and nothing else of it. The error of a file that
// breaks any rule of the format names the file and, where there is one, the tensor; memory is
// bounded by the header's size, at most 100 MB.
func Open(path string) (*File, error) {
	file, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(path, file, size)
	if err != nil {
		file.Close()
		return nil, err
	}
	f.closer = file
	return f, nil
}

// newFile reads the header of a file of size bytes.
func newFile(path string, r io.ReaderAt, size int64) (*File, error) {
	var start [lengthSize]byte
	if size < lengthSize {
		return nil, fmt.Errorf("%s: %d bytes, want a safetensors file of %d or more", path, size, lengthSize)
	}
	if _, err := r.ReadAt(start[:], 0); err != nil {
		return nil, fmt.Errorf("%s: header: %w", path, err)
	}
	length := binary.LittleEndian.Uint64(start[:])
	if limit := uint64(min(size-lengthSize, maxHeader)); length > limit {
		return nil, fmt.Errorf("%s: header of %d bytes, want %d or fewer: truncated or not a safetensors file", path, length, limit)
	}
	header := make([]byte, lengthSize+length)
	if n, err := r.ReadAt(header, 0); n < len(header) {
		return nil, fmt.Errorf("%s: header: %w", path, err)
	}
	rest := size - int64(len(header))
	metadata, tensors, err := parseHeader(header, rest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	index := make(map[string]int, len(tensors))
	for i, t := range tensors {
		index[t.Name] = i
	}
	data := io.NewSectionReader(r, int64(len(header)), rest)
	return &File{path: path, data: data, metadata: metadata, tensors: tensors, index: index}, nil
}

// Close closes the file.
func (f *File) Close() error { return f.closer.Close() }

// Summed says whether the file has checksums of its tensors. If not, damage can go unnoticed.
func (f *File) Summed() bool {
	return !slices.ContainsFunc(f.tensors, func(t stored) bool { return !t.checked })
}

// Metadata returns a copy of the header's metadata, without the checksums.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Tensors describes all tensors in file order.
func (f *File) Tensors() []Tensor {
	out := make([]Tensor, len(f.tensors))
	for i, t := range f.tensors {
		out[i] = t.copy()
	}
	return out
}

// Lookup describes the tensor of that name, if there is one.
func (f *File) Lookup(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i].copy(), true
}

// copy gives the caller a shape of its own.
func (t stored) copy() Tensor {
	t.Shape = slices.Clone(t.Shape)
	return t.Tensor
}

// Read returns the bytes of a tensor, little-endian and row-major, after verifying their checksum
// where there is one.
func (f *File) Read(name string) ([]byte, error) {
	t, err := f.find(name)
	if err != nil {
		return nil, err
	}
	data := make([]byte, t.end-t.start)
	if err := f.stream(t, data, func([]byte) {}); err != nil {
		return nil, err
	}
	return data, nil
}

// ReadInto is Read into memory of the caller, which must have exactly the tensor's size. After an
// error its contents are undefined.
func (f *File) ReadInto(name string, data []byte) error {
	t, err := f.find(name)
	if err != nil {
		return err
	}
	if want := t.end - t.start; int64(len(data)) != want {
		return fmt.Errorf("%s: tensor %q: got memory of %d bytes, want %d", f.path, name, len(data), want)
	}
	return f.stream(t, data, func([]byte) {})
}

// Verify reads the whole file once, in constant memory. It compares all checksums, of which files of
// other programs have none, and reports values that are not finite: a [NotFiniteError] with the name of
// the tensor.
func (f *File) Verify() error {
	buf := make([]byte, bufferSize)
	for _, t := range f.tensors {
		bad := 0
		if err := f.stream(t, buf, func(chunk []byte) { bad += NotFinite(chunk, t.DType) }); err != nil {
			return err
		}
		if bad > 0 {
			return readError{f.path, t.Name, NotFiniteError{bad, int(t.end-t.start) / t.DType.Width()}}
		}
	}
	return nil
}

// find returns the tensor of that name.
func (f *File) find(name string) (stored, error) {
	i, ok := f.index[name]
	if !ok {
		return stored{}, fmt.Errorf("%s: no tensor %q", f.path, name)
	}
	return f.tensors[i], nil
}

// stream reads a tensor through buf and calls visit with each piece. The checksum is verified at
// the end, so the pieces count only if there is no error. If buf is as large as the tensor, it
// holds all of it in the end.
func (f *File) stream(t stored, buf []byte, visit func(chunk []byte)) error {
	var crc uint32
	for at := t.start; at < t.end; {
		chunk := buf[:min(int64(len(buf)), t.end-at)]
		if n, err := f.data.ReadAt(chunk, at); n < len(chunk) {
			return readError{f.path, t.Name, err}
		}
		crc = crc32.Update(crc, castagnoli, chunk)
		visit(chunk)
		at += int64(len(chunk))
	}
	if t.checked && crc != t.sum {
		return readError{f.path, t.Name, fmt.Errorf("checksum %08x, want %08x: the file is damaged", crc, t.sum)}
	}
	return nil
}

// readError is what is wrong with a tensor of a file that is read.
type readError struct {
	path, tensor string
	err          error
}

func (e readError) Error() string { return fmt.Sprintf("%s: tensor %q: %v", e.path, e.tensor, e.err) }
func (e readError) Unwrap() error { return e.err }

// Path is the path that the file was opened by.
func (f *File) Path() string { return f.path }
