//go:build unix

package shards

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mcvd/data/clips"
)

// A named pipe without a writer would make Open wait for ever.
func TestNamedPipesAreRefusedUnopened(t *testing.T) {
	dir := t.TempDir()
	shard, persons := filepath.Join(dir, "shard_0001.hdf5"), filepath.Join(dir, "persons.pkl")
	for _, pipe := range []string{shard, persons} {
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Skip(err)
		}
	}
	_, err := Open(context.Background(), config(dir, "kth", 32, 1), clips.Train, 1, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), shard+": not a regular file") {
		t.Errorf("error %v, want that the shard is not a regular file", err)
	}
	if _, err := readPersons(persons, 1); err == nil || err.Error() != "not a regular file" {
		t.Errorf("error %v, want that it is not a regular file", err)
	}
}
