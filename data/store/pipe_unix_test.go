//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// A named pipe in the place of a video's frames is damage. It is never opened: that would wait for
// somebody who writes into it.
func TestANamedPipeInThePlaceOfFramesIsDamage(t *testing.T) {
	s, v := New(t.TempDir(), quiet), clip("a.mp4")
	e := put(t, s, v, 3)
	if err := os.Remove(e.file.path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(e.file.path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, ok := s.Find(v); ok {
		t.Error("found all the same")
	}
	if err := e.Read(0, make([]uint8, v.FrameSize())); !errors.Is(err, ErrDamaged) {
		t.Errorf("reading: error %v, want damage", err)
	}
	if err := e.Verify(); !errors.Is(err, ErrDamaged) {
		t.Errorf("verifying: error %v, want damage", err)
	}
}
