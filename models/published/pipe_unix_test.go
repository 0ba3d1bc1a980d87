//go:build unix

package published

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mcvd/models/weights"
	"mcvd/models/weights/torch"
)

// A pipe is refused at once. Opening it would wait for a writer, without end.
func TestPipesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	for name, open := range map[string]func() error{
		"checkpoint":  func() error { _, err := Open(path); return err },
		"torch.save":  func() error { _, err := torch.Open(path); return err },
		"safetensors": func() error { _, err := weights.Open(path); return err },
	} {
		if err := open(); err == nil || !strings.HasPrefix(err.Error(), path+": not a regular file") {
			t.Errorf("%s: error %v, want that it is not a regular file", name, err)
		}
	}
}
