//go:build unix

package shards

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mcvd/data/clips"
)

// A pipe in the place of a file is refused at once. Opening it would wait for a writer, without end.
func TestPipesAreRefused(t *testing.T) {
	for _, name := range []string{"shard_0001.hdf5", "persons.pkl"} {
		root := t.TempDir()
		shard, err := os.ReadFile("../../models/paritytest/testdata/dataset/extra/KTH64_h5/shard_0001.hdf5")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "shard_0001.hdf5"), shard, 0o600); err != nil {
			t.Fatal(err)
		}
		pipe := filepath.Join(root, name)
		if err := os.RemoveAll(pipe); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), config(root, "kth", 64, 1), clips.Train, 2, slog.New(slog.DiscardHandler))
		if err == nil || strings.Count(err.Error(), pipe) != 1 || !strings.HasSuffix(err.Error(), ": not a regular file") {
			t.Errorf("%s: error %v, want that it is not a regular file", name, err)
		}
	}
}
