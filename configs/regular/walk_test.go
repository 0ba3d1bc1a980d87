package regular

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Files come by name, from where links lead as well, once around a loop, and without what is hidden.
func TestWalkFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	root, elsewhere := filepath.Join(dir, "root"), filepath.Join(dir, "elsewhere")
	for _, path := range []string{"root/b", "root/.hidden", "root/.cache/c", "root/a/d", "elsewhere/e"} {
		path = filepath.Join(dir, path)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"root/c": elsewhere, "root/nowhere": filepath.Join(dir, "none"), "elsewhere/loop": root, "root/f": filepath.Join(elsewhere, "e"), "link": root} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	list := func(root string) (names []string) {
		t.Helper()
		err := Walk(root, func(name string) error {
			names = append(names, name)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	want := []string{"a/d", "b", "c/e", "f", "nowhere"}
	for _, root := range []string{root, filepath.Join(dir, "link")} {
		if got := list(root); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", root, got, want)
		}
	}
	if got := list(filepath.Join(root, "b")); !slices.Equal(got, []string{"."}) {
		t.Errorf("a file: %q", got)
	}
	ends := errors.New("ends")
	if err := Walk(root, func(string) error { return ends }); err != ends {
		t.Errorf("%v, want the error of each", err)
	}
	if err := Walk(filepath.Join(dir, "none"), func(string) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
