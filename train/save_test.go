package train

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// A checkpoint that is not what was written, as on a disk that lies, is noticed and removed while the
// one before is still there.
func TestCheckpointsAreReadBack(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.VerifyCheckpoints, c.Train.ValidateEvery = true, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	path := newest(t, dir)
	if err := readBack(path); err != nil {
		t.Fatalf("a whole one: %v", err)
	}
	content := readFile(t, path)
	content[len(content)-9] ^= 1
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := readBack(path); err == nil || !strings.Contains(err.Error(), "read back: "+path) {
		t.Errorf("one with a wrong bit: error %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if got := newest(t, dir); filepath.Base(got) != runs.CheckpointName(8) {
		t.Errorf("the newest is %s, want that of step 8", got)
	}
	// A save does it: what it writes here is no progress, which only reading notices.
	run := &Run{Dir: t.TempDir(), Config: c}
	if err := os.MkdirAll(filepath.Join(run.Dir, runs.CheckpointsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := run.save(runs.CheckpointName(1), nil, Progress{Step: 1, Updates: 2}); err == nil || !strings.Contains(err.Error(), "read back: ") {
		t.Errorf("progress that is none: error %v, want that it was read back", err)
	}
}
