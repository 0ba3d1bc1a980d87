//go:build unix

package idx

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe is refused at once. Opening it would wait for a writer, without end.
func TestPipesAreRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, Train)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Train); err == nil || err.Error() != path+": not a regular file" {
		t.Errorf("error %v, want that it is not a regular file", err)
	}
}
