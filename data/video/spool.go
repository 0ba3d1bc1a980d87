package video

import (
	"errors"
	"fmt"
	"io"
	"os"

	"mcvd/configs/atomicfile"
)

// Spool keeps frames on disk that arrive in any order and are read in their own order. So videos of
// any length need no memory, even if they are generated from their end to their beginning.
type Spool struct {
	file *os.File
	size int // bytes of a frame
}

// NewSpool makes a spool for frames of size bytes, in a file in dir that has no name. It disappears
// with the process.
func NewSpool(dir string, size int) (*Spool, error) {
	if size < 1 {
		return nil, fmt.Errorf("spool: frames of %d bytes, want 1 or more", size)
	}
	f, err := os.CreateTemp(dir, atomicfile.Prefix+"*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, os.ErrNotExist) { // or another process cleans up
		return nil, errors.Join(err, f.Close())
	}
	return &Spool{f, size}, nil
}

// Put stores frame i, replacing what was there.
func (s *Spool) Put(i int, pix []uint8) error {
	if len(pix) != s.size || i < 0 {
		return fmt.Errorf("spool: frame %d of %d bytes, want %d bytes and an index of 0 or more", i, len(pix), s.size)
	}
	_, err := s.file.WriteAt(pix, int64(i)*int64(s.size))
	return err
}

// Get reads frame i into pix. It fails for frames after the last one that was put. Frames before it
// that were never put are black.
func (s *Spool) Get(i int, pix []uint8) error {
	if len(pix) != s.size || i < 0 {
		return fmt.Errorf("spool: frame %d of %d bytes, want %d bytes and an index of 0 or more", i, len(pix), s.size)
	}
	if n, err := s.file.ReadAt(pix, int64(i)*int64(s.size)); n < len(pix) {
		return errors.Join(fmt.Errorf("spool: frame %d", i), err, io.ErrUnexpectedEOF)
	}
	return nil
}

// Close frees the space on disk.
func (s *Spool) Close() error { return s.file.Close() }
