package folder

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"mcvd/data/clips"
)

// A folder that may not be read is named, and the rest is used. Root may read everything; so as
// root this test reads as somebody else, whom Linux lets one choose for one thread.
func TestUnreadableFolder(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "a.mp4"), "x")
	if err := os.Mkdir(filepath.Join(root, "locked"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
			t.Fatal(err)
		}
		const nobody = 65534
		runtime.LockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			syscall.Setfsuid(0)
			runtime.UnlockOSThread()
		}()
	}
	f, err := find(root, clips.Train, Options{})
	if err != nil || len(f.sources) != 1 || len(f.problems) != 1 || f.problems[0].Name != "locked" ||
		!strings.Contains(f.problems[0].Error(), "permission denied") {
		t.Errorf("sources %v, problems %v, %v; want a.mp4, and that locked may not be read", f.sources, f.problems, err)
	}
}
