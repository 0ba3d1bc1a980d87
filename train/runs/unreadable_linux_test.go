package runs

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// asNobody goes on as somebody who may read nothing that others are denied: root may read everything,
// so as root the test reads as another user, whom Linux lets one choose for one thread.
func asNobody(t *testing.T, dir string) {
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	runtime.LockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Setfsuid(0)
		runtime.UnlockOSThread()
	})
}

// What is there and may not be read is said; the rest is shown.
func TestWhatMayNotBeReadIsNamed(t *testing.T) {
	dir := folder(t)
	add(t, dir, logged(Line{Step: 10, Loss: 1}))
	write(t, dir, LockFile, "")
	for _, name := range []string{CheckpointsDir, SamplesDir} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mode := func(mode os.FileMode, names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode(0, CheckpointsDir, SamplesDir, LockFile)
	t.Cleanup(func() {
		os.Chmod(filepath.Join(dir, CheckpointsDir), 0o755)
		os.Chmod(filepath.Join(dir, SamplesDir), 0o755)
	})
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o444); err != nil { // its files can't be reached
		t.Fatal(err)
	}
	asNobody(t, dir)
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Update(context.Background()); err != nil || r.Step != 10 {
		t.Errorf("step %d, error %v, want the log's 10", r.Step, err)
	}
	for _, name := range []string{CheckpointsDir, SamplesDir, LockFile} {
		if r.Unread == nil || !strings.Contains(r.Unread.Error(), name+": permission denied") {
			t.Errorf("unread: %v, want %s in it", r.Unread, name)
		}
	}
	if _, err := Open(closed); err == nil || !strings.Contains(err.Error(), "permission denied") || strings.Contains(err.Error(), "not a run folder") {
		t.Errorf("a folder whose files can't be reached: error %v, want that permission is denied", err)
	}
}
