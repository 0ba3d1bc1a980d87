package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func fill(text string) func(*os.File) error {
	return func(tmp *os.File) error { _, err := io.WriteString(tmp, text); return err }
}

// holds fails unless the folder of path holds that file alone, with this text; no text is no file.
func holds(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if want != "" && err != nil || string(got) != want {
		t.Errorf("%q in the file, error %v, want %q", got, err, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if files := min(len(want), 1); err != nil || len(entries) != files {
		t.Errorf("the folder holds %v, error %v, want %d file", entries, err, files)
	}
}

func TestWriteMakesAndReplacesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	for _, text := range []string{"old and long", "new"} {
		if err := Write(path, fill(text)); err != nil {
			t.Fatal(err)
		}
		holds(t, path, text)
	}
}

func TestAFailedFillLeavesEverythingAsItWas(t *testing.T) {
	failure := errors.New("disk on fire")
	broken := func(tmp *os.File) error { return errors.Join(fill("half a fi")(tmp), failure) }
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := Write(path, broken); !errors.Is(err, failure) {
		t.Errorf("error %v, want what fill returned", err)
	}
	holds(t, path, "")
	if err := Write(path, fill("old")); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, broken); !errors.Is(err, failure) {
		t.Errorf("error %v, want what fill returned", err)
	}
	holds(t, path, "old")
}

func TestFillMayWriteByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	err := Write(path, func(tmp *os.File) error {
		if filepath.Dir(tmp.Name()) != filepath.Dir(path) || filepath.Ext(tmp.Name()) != ".txt" {
			t.Errorf("temporary file %s, want the folder and the extension of %s", tmp.Name(), path)
		}
		return os.WriteFile(tmp.Name(), []byte("by name"), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, path, "by name")
}

func TestAFillThatClosesTheFileFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := Write(path, func(tmp *os.File) error { return tmp.Close() }); err == nil {
		t.Error("no error, though the file could not be synced")
	}
	holds(t, path, "")
}

func TestAFolderCannotBeReplacedOrMissing(t *testing.T) {
	dir := t.TempDir()
	if err := Write(filepath.Join(dir, "none", "a.txt"), fill("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: error %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "folder"), func(*os.File) error { t.Error("filled in vain"); return nil }); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, error %v, want its folder alone", entries, err)
	}
}

func TestADeviceIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt") // a link: were the device itself replaced, the machine would suffer
	if err := os.Symlink(os.DevNull, path); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, fill("x")); err == nil {
		t.Error("a device was replaced")
	}
	if target, err := os.Readlink(path); err != nil || target != os.DevNull {
		t.Errorf("the link leads to %q, error %v, want %s", target, err, os.DevNull)
	}
}

func TestPrepareMakesFoldersAndSaysWhatWriteWouldFailAt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "c.txt")
	if err := Prepare(path); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v in the new folder, want nothing", entries, err)
	}
	if err := Write(path, func(tmp *os.File) error { _, err := tmp.WriteString("x"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := Prepare(path); err != nil { // what is there is left alone
		t.Error(err)
	}
	if text, err := os.ReadFile(path); string(text) != "x" || err != nil {
		t.Errorf("%q, %v after Prepare, want x", text, err)
	}
	for _, bad := range []string{dir, os.DevNull, filepath.Join(path, "below", "a", "file"), "/proc/no/such"} {
		if err := Prepare(bad); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// A power cut takes what was not synced: all of the file is synced before it has its name, and the name
// after that. What can't be synced is an error.
func TestTheFileIsSyncedBeforeItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	dir := filepath.Dir(path)
	var synced []string
	err := write(path, fill("new"), func(f *os.File) error {
		if f.Name() == dir {
			text, _ := os.ReadFile(path)
			synced = append(synced, "the folder, with a file of "+string(text))
		} else {
			_, err := os.Stat(path)
			text, _ := os.ReadFile(f.Name())
			synced = append(synced, fmt.Sprintf("%s, under its name %v", text, err == nil))
		}
		return f.Sync()
	})
	want := []string{"new, under its name false", "the folder, with a file of new"}
	if err != nil || !slices.Equal(synced, want) {
		t.Errorf("%q, %v, want %q", synced, err, want)
	}
	for call := range 2 {
		failure, calls := errors.New("disk on fire"), 0
		err := write(path, fill("newer"), func(*os.File) error {
			if calls++; calls == call+1 {
				return failure
			}
			return nil
		})
		if !errors.Is(err, failure) {
			t.Errorf("sync %d failed: error %v", call, err)
		}
	}
}
