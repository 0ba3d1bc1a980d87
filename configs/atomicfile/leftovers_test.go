package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
)

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// What killed processes have left goes, whether file or folder. What is being written stays, and so do
// the files of others.
func TestCleanRemovesWhatNobodyWrites(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{Prefix + "file", Prefix + "folder/below/file", "ours", ".hidden"} {
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, Prefix+"link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, Prefix+"pipe"), 0o600); err != nil { // nobody answers there
		t.Fatal(err)
	}
	folder, done, err := TempDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "written")
	if err := Write(path, func(tmp *os.File) error { Clean(dir); return fill("text")(tmp) }); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), []string{".hidden", filepath.Base(folder), Prefix + "link", Prefix + "pipe", "ours", "written"}; !slices.Equal(got, sorted(want)) {
		t.Errorf("the folder holds %v, want %v", got, want)
	}
	if got := names(t, elsewhere); len(got) != 1 {
		t.Errorf("where a link leads, there is %v", got)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary folder is there: %v", err)
	}
}

func sorted(names []string) []string { slices.Sort(names); return names }

// Cleaning up at any moment takes nothing from somebody who writes.
func TestCleanAndWriteAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	var writers, cleaner sync.WaitGroup
	stop := make(chan struct{})
	cleaner.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				Clean(dir)
			}
		}
	})
	for _, name := range []string{"a", "b"} {
		writers.Go(func() {
			for range 40 {
				if err := Write(filepath.Join(dir, name), fill(name)); err != nil {
					t.Error(err)
				}
				if folder, done, err := TempDir(dir); err != nil {
					t.Error(err)
				} else if err := errors.Join(os.WriteFile(filepath.Join(folder, "x"), nil, 0o600), done()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	cleaner.Wait()
	if got := names(t, dir); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the folder holds %v, want a and b", got)
	}
}
