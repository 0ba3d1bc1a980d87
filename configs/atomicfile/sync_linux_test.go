package atomicfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Write calls fsync, which nobody sees but by its error: here the file becomes a pipe under Write's
// hands, which everything but fsync can be done with.
func TestWriteCallsFsync(t *testing.T) {
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pipe[0])
	defer syscall.Close(pipe[1])
	path := filepath.Join(t.TempDir(), "a.txt")
	err := Write(path, func(tmp *os.File) error { return syscall.Dup3(pipe[1], int(tmp.Fd()), 0) })
	if err == nil {
		t.Error("no error, though the file can't be synced")
	}
	holds(t, path, "")
}
