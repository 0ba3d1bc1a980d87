// Package torch reads files that torch.save wrote, the zip form of PyTorch 1.6 and later and the
// legacy form before it, and plain pickles of NumPy arrays ([OpenPickle]).
//
// Such a file is a pickle, a program for Python's unpickler, beside the raw elements of its
// tensors. Nothing of it is run here: what Python would call becomes an inert [Object], and a name
// outside of PyTorch, NumPy and a few plain types refuses the file. The pickle machine is our own
// because gopickle, which reads these files, too, allocates whatever a length announces, panics on
// an integer of no bytes and follows the memo without a limit.
//
// Opening is bounded whatever the file says. All pickles together have at most 64 MiB and 1 Mi
// instructions; what they build has a depth of at most 1,000, no cycles, and at most 16 Mi values
// to a walk that follows every reference, so that callers may recurse without care. The directory
// of a zip file has at most 8 MiB, and its records are stored, not compressed. [Open] takes less
// than 512 MiB for the worst of files, and some 20 times the pickle for those of PyTorch. Reading a
// tensor takes its elements and at most 10 MiB; it has no more elements than its storage, or 16 Mi
// where a view repeats them.
//
// The CRC-32 of every zip record that is read is compared: of the pickle when the file is opened,
// of a storage when a tensor of it is read. PyTorch can leave checksums out, and the legacy form
// has none: see [File.Summed].
//
// Not read: files of big-endian machines, the tar form before PyTorch 0.1.10, the code and the
// constants of TorchScript, pickles of protocol 0 and 1, and complex and quantized storages.
package torch

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"mcvd/configs/regular"
)

// File is an open file of torch.save. Its methods and those of its tensors, except Close, may be
// called from several goroutines.
type File struct {
	path string
	data io.ReaderAt
	size int64
	root any

	plain    bool                               // whether a plain pickle or TorchScript will do
	unsummed bool                               // whether a part of the file has no checksum
	storages map[string]*storage                // by key
	locate   func(key string, s *storage) error // finds a storage's place in the zip form; nil in the legacy form
	closer   io.Closer
}

// Open reads the structure of a file; the elements of tensors stay on disk until they are asked
// for. It fails for a file that breaks a rule of its form or a bound of this package, and for one
// that names a Python class or function other than those of PyTorch, NumPy and some plain types.
func Open(path string) (*File, error) { return openAs(path, false) }

// OpenPickle is [Open] that reads two more kinds of files. One is a plain pickle of any value, with
// nothing behind it; [Object.Array] gives the NumPy arrays in it. The other is a TorchScript archive,
// of which it reads the attributes of modules, as the states of objects, but neither the code nor its
// constants.
func OpenPickle(path string) (*File, error) { return openAs(path, true) }

func openAs(path string, plain bool) (*File, error) {
	file, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := newFile(path, file, size, plain)
	if err != nil {
		file.Close()
		return nil, err
	}
	f.closer = file
	return f, nil
}

// newFile reads the structure of a file of size bytes.
func newFile(path string, data io.ReaderAt, size int64, plain bool) (*File, error) {
	f := &File{path: path, data: data, size: size, plain: plain, storages: map[string]*storage{}}
	var start [262]byte
	if _, err := data.ReadAt(start[:min(size, int64(len(start)))], 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var err error
	switch {
	case size == 0:
		err = errors.New("the file is empty")
	case bytes.HasPrefix(start[:], []byte("PK\x03\x04")):
		err = f.readZip()
	case string(start[257:]) == "ustar":
		err = errors.New("a tar archive, which PyTorch wrote before version 0.1.10: not supported")
	default:
		err = f.readLegacy()
	}
	if err == nil {
		f.root, err = settled(f.root)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Close closes the file. Its tensors can't be read any more.
func (f *File) Close() error { return f.closer.Close() }

// Path is the path that the file was opened by.
func (f *File) Path() string { return f.path }

// Summed is whether everything that is read of the file has a checksum. Where it is false, damage
// can go unnoticed.
func (f *File) Summed() bool { return !f.unsummed }

// Root is what was saved: nil, bool, int64, *big.Int, float64, string, []byte, [List], *[Dict],
// *[Tensor] or *[Object]. A storage saved by itself is a tensor of one dimension, a parameter is
// its tensor.
func (f *File) Root() any { return f.root }
