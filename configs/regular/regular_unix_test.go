//go:build unix

package regular

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, size, err := Open(path)
	if err != nil || size != 4 {
		t.Fatalf("%d bytes, %v, want 4", size, err)
	}
	f.Close()
	if text, err := Read(path); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if f, err := OpenUpTo(path, 4); err != nil {
		t.Errorf("4 bytes of up to 4: %v", err)
	} else {
		f.Close()
	}
	if _, err := OpenUpTo(path, 3); err == nil || err.Error() != path+": 4 bytes, want up to 3" {
		t.Errorf("4 bytes of up to 3: %v", err)
	}
	if err := os.Truncate(path, maxRead+1); err != nil { // a file with a hole, which takes no room
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("a file of more than 1 GiB was read")
	}
	if _, _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{dir, pipe, os.DevNull} {
		if _, _, err := Open(other); err == nil || err.Error() != other+": not a regular file" {
			t.Errorf("%s: %v, want that it is not a regular file", other, err)
		}
	}
}
