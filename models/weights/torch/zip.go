package torch

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDirectory bounds the bytes read of a zip file's directory and of the headers of its records.
const maxDirectory = 8 << 20

// A zip file has, below a folder of any name, data.pkl, a record data/KEY for each storage and byteorder. Records are
// stored, so that a storage is a range of the file.
func (f *File) readZip() error {
	archive, err := zip.NewReader(&meter{data: f.data, left: maxDirectory}, f.size)
	if err != nil {
		return fmt.Errorf("%w: truncated or damaged", err)
	}
	if len(archive.File) == 0 {
		return errors.New("an empty zip file")
	}
	records := map[string]*zip.File{}
	for _, r := range archive.File {
		if records[r.Name] != nil {
			return fmt.Errorf("zip record %.80q: there twice", r.Name)
		}
		records[r.Name] = r
	}
	folder, _, _ := strings.Cut(archive.File[0].Name, "/")
	folder += "/"
	if records[folder+"constants.pkl"] != nil {
		return errors.New("a TorchScript archive, want a file of torch.save")
	}
	if r := records[folder+"byteorder"]; r != nil {
		at, size, err := f.stored(r)
		if err != nil {
			return err
		}
		order := make([]byte, min(size, 16))
		if _, err := f.data.ReadAt(order, at); err != nil {
			return err
		}
		if string(order) != "little" {
			return fmt.Errorf("byte order %q, want little", order)
		}
	}
	pickle := records[folder+"data.pkl"]
	if pickle == nil {
		return fmt.Errorf("no record %.80q: not a file of torch.save", folder+"data.pkl")
	}
	at, size, err := f.stored(pickle)
	if err != nil {
		return err
	}
	if size > maxPickle {
		return fmt.Errorf("zip record %.80q: %d bytes, want %d or fewer", pickle.Name, size, maxPickle)
	}
	f.locate = func(key string, s *storage) (err error) {
		r := records[folder+"data/"+key]
		if r == nil {
			return fmt.Errorf("no zip record %.80q", folder+"data/"+key)
		}
		s.at, size, err = f.stored(r)
		if err == nil && size != s.count*s.width {
			err = fmt.Errorf("zip record %.80q: %d bytes, want %d for %d elements of %s", r.Name, size, s.count*s.width, s.count, s.dtype)
		}
		return err
	}
	f.root, err = newInput(io.NewSectionReader(f.data, at, size), size).unpickle(f.persistent)
	return err
}

// stored is a record's place in the file.
func (f *File) stored(r *zip.File) (at, size int64, err error) {
	if r.Method != zip.Store || r.Flags&1 != 0 || r.CompressedSize64 != r.UncompressedSize64 {
		return 0, 0, fmt.Errorf("zip record %.80q: compressed or encrypted, want it stored as PyTorch does", r.Name)
	}
	at, err = r.DataOffset()
	if err != nil {
		return 0, 0, fmt.Errorf("zip record %.80q: %w", r.Name, err)
	}
	if at < 0 || at > f.size || r.CompressedSize64 > uint64(f.size-at) {
		return 0, 0, fmt.Errorf("zip record %.80q: %d bytes at %d, the file has %d", r.Name, r.CompressedSize64, at, f.size)
	}
	return at, int64(r.CompressedSize64), nil
}

// meter reads until a number of bytes is used up, since archive/zip keeps a directory of any size in memory. What it
// reserves for records that a directory announces but lacks, a quarter of the file's size at most, stays untouched.
type meter struct {
	data io.ReaderAt
	left int64
}

func (m *meter) ReadAt(p []byte, at int64) (int, error) {
	if m.left -= int64(len(p)); m.left < 0 {
		return 0, fmt.Errorf("zip directory of more than %d bytes", maxDirectory)
	}
	return m.data.ReadAt(p, at)
}
