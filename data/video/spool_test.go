package video

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

// Frames come back in any order in which they were put, and the spool leaves nothing in its folder,
// not even while it is open.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s, err := NewSpool(dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{4, 0, 2, 2} {
		if err := s.Put(i, []uint8{uint8(i), 10, uint8(20 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range map[int][]uint8{0: {0, 10, 20}, 1: {0, 0, 0}, 2: {2, 10, 22}, 4: {4, 10, 24}} {
		got := []uint8{9, 9, 9}
		if err := s.Get(i, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("frame %d: %v, %v; want %v", i, got, err, want)
		}
	}
	for name, err := range map[string]error{
		"a frame beyond the last":  s.Get(5, make([]uint8, 3)),
		"a frame before the first": s.Get(-1, make([]uint8, 3)),
		"too few bytes to get":     s.Get(0, make([]uint8, 2)),
		"too many bytes to put":    s.Put(0, make([]uint8, 4)),
		"a negative index":         s.Put(-1, make([]uint8, 3)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := s.Get(5, make([]uint8, 3)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("beyond the end: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("files %v, %v; want none", files, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := NewSpool(dir, 0); err == nil {
		t.Error("frames of 0 bytes: no error")
	}
}
