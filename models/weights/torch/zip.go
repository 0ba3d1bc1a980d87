package torch

import (
	"archive/zip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// maxDirectory bounds the bytes read of a zip file's directory and of the headers of its records.
const maxDirectory = 8 << 20

// A zip file has, below a folder of any name, data.pkl, a record data/KEY for each storage and
// byteorder. Records are stored, so that a storage is a range of the file.
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
	scripted := records[folder+"constants.pkl"] != nil
	if scripted && !f.plain {
		return errors.New("a TorchScript archive, want a file of torch.save")
	}
	if r := records[folder+"byteorder"]; r != nil {
		rec, err := f.stored(r)
		if err == nil {
			err = f.verify(rec)
		}
		if err != nil {
			return err
		}
		order := make([]byte, min(rec.size, 16))
		if _, err := f.data.ReadAt(order, rec.at); err != nil {
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
	rec, err := f.stored(pickle)
	if err != nil {
		return err
	}
	if rec.size > maxPickle {
		return fmt.Errorf("zip record %.80q: %d bytes, want %d or fewer", rec.name, rec.size, maxPickle)
	}
	if err := f.verify(rec); err != nil { // before it is run: what is wrong with it would have many names
		return err
	}
	f.locate = func(key string, s *storage) error {
		r := records[folder+"data/"+key]
		if r == nil {
			return fmt.Errorf("no zip record %.80q", folder+"data/"+key)
		}
		rec, err := f.stored(r)
		if err == nil && rec.size != s.count*s.width {
			err = fmt.Errorf("zip record %.80q: %d bytes, want %d for %d elements of %s", rec.name, rec.size, s.count*s.width, s.count, s.dtype)
		}
		s.extent = rec
		return err
	}
	in := newInput(io.NewSectionReader(f.data, rec.at, rec.size), rec.size)
	in.scripted = scripted
	f.root, err = in.unpickle(f.persistent)
	return err
}

// extent is a part of the file: in the zip form what the directory calls a record, in the legacy
// form a storage.
type extent struct {
	name     string // in the zip form
	at, size int64  // bytes; at is -1 while it isn't known
	sum      uint32 // CRC-32, which the directory of a zip file has
	summed   bool   // whether sum is known
}

// stored is a record's place in the file. PyTorch and others write a checksum of 0 if they computed
// none.
func (f *File) stored(r *zip.File) (extent, error) {
	if r.Method != zip.Store || r.Flags&1 != 0 || r.CompressedSize64 != r.UncompressedSize64 {
		return extent{}, fmt.Errorf("zip record %.80q: compressed or encrypted, want it stored as PyTorch does", r.Name)
	}
	at, err := r.DataOffset()
	if err != nil {
		return extent{}, fmt.Errorf("zip record %.80q: %w", r.Name, err)
	}
	if at < 0 || at > f.size || r.CompressedSize64 > uint64(f.size-at) {
		return extent{}, fmt.Errorf("zip record %.80q: %d bytes at %d, the file has %d", r.Name, r.CompressedSize64, at, f.size)
	}
	rec := extent{name: r.Name, at: at, size: int64(r.CompressedSize64), sum: r.CRC32, summed: r.CRC32 != 0 || r.CompressedSize64 == 0}
	f.unsummed = f.unsummed || !rec.summed
	return rec, nil
}

// verify reads a record and compares its checksum, if it has one.
func (f *File) verify(r extent) error {
	if !r.summed {
		return nil
	}
	sum, buffer := uint32(0), make([]byte, min(r.size, bufferSize))
	for done := int64(0); done < r.size; {
		part := buffer[:min(int64(len(buffer)), r.size-done)]
		if n, err := f.data.ReadAt(part, r.at+done); n < len(part) {
			return fmt.Errorf("zip record %.80q: %w", r.name, err)
		}
		sum = crc32.Update(sum, crc32.IEEETable, part)
		done += int64(len(part))
	}
	return r.compare(sum)
}

// compare fails if a checksum isn't that of the record.
func (r extent) compare(sum uint32) error {
	if r.summed && sum != r.sum {
		return fmt.Errorf("zip record %.80q: checksum %08x, want %08x: the file is damaged", r.name, sum, r.sum)
	}
	return nil
}

// meter reads until a number of bytes is used up, because archive/zip keeps a directory of any size
// in memory. It also reserves memory for records that a directory announces but does not have, at
// most a quarter of the file's size, which stays untouched.
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
