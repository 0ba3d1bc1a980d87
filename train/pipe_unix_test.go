//go:build unix

package train

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// Named pipes in the place of a run's files, which nobody writes into or reads from, are refused
// unopened: opening one would wait for ever.
func TestNamedPipesInARunFolderAreRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 1, 0
	run := t.TempDir()
	mustTrain(t, options(b, c, run))
	c.Train.Steps = 2
	for _, name := range []string{runs.ConfigFile, runs.CommandsFile, runs.VersionsFile, runs.LogFile, runs.LockFile, filepath.Join(runs.CheckpointsDir, runs.CheckpointName(1))} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(run)); err != nil {
			t.Fatal(err)
		}
		pipe := filepath.Join(dir, name)
		if err := os.Remove(pipe); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Skip(err)
		}
		want := pipe + ": not a regular file"
		if filepath.Dir(name) == runs.CheckpointsDir {
			want = "every numbered checkpoint is broken"
		}
		if _, err := Train(context.Background(), options(b, c, dir)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}
