package compiled

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mcvd/configs/atomicfile"
)

func files(t *testing.T, folder string) int {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestAnExecutableComesBack(t *testing.T) {
	c, key := New(filepath.Join(t.TempDir(), "a", "b"), 1000), KeyOf([]byte("program"), []byte("options"))
	if _, err := c.Get(key); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v before anything was put, want none there", err)
	}
	for _, want := range []string{"machine code", "other code", ""} {
		if err := c.Put(key, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Get(key); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	info, err := os.Stat(c.folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v: others could put code into it", info.Mode(), err)
	}
}

func TestEveryPartCounts(t *testing.T) {
	seen := map[Key][]string{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}, {"1\na", "b"}, {"ab", "d"}} {
		var all [][]byte
		for _, p := range parts {
			all = append(all, []byte(p))
		}
		key := KeyOf(all...)
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q have one key", parts, other)
		}
		seen[key] = parts
	}
}

// Whatever byte is changed, left out or added: it is noticed, and the next executable takes its place.
func TestDamageIsNoticed(t *testing.T) {
	c, key := New(t.TempDir(), 1000), KeyOf([]byte("program"))
	want := []byte("machine code")
	if err := c.Put(key, want); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(c.path(key))
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, whole[:len(whole)-1], append(bytes.Clone(whole), 0), whole[:header-1]}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1
		damaged = append(damaged, b)
	}
	for i, b := range damaged {
		if err := os.WriteFile(c.path(key), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Get(key); !errors.As(err, &Damaged{}) {
			t.Errorf("damage %d: got %q, %v", i, got, err)
		}
	}
	if err := c.Put(key, want); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(key); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %q, %v after it was put again", got, err)
	}
}

// A file of another program under this program's name is no executable of it.
func TestAFileOfAnotherNameIsRefused(t *testing.T) {
	c, one, two := New(t.TempDir(), 1000), KeyOf([]byte("one")), KeyOf([]byte("two"))
	if err := c.Put(one, []byte("code")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(c.path(one), c.path(two)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(two); !errors.As(err, &Damaged{}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWhatWasNotUsedLongestGoesFirst(t *testing.T) {
	size := int64(header + 100)
	c := New(t.TempDir(), 3*size)
	key := func(i int) Key { return KeyOf([]byte{byte(i)}) }
	for i := range 3 {
		if err := c.Put(key(i), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(time.Duration(i-10) * time.Minute)
		if err := os.Chtimes(c.path(key(i)), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Get(key(0)); err != nil { // now 1 is the one that was not used longest
		t.Fatal(err)
	}
	if err := c.Put(key(3), make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, true, true} {
		if _, err := c.Get(key(i)); (err == nil) != want {
			t.Errorf("executable %d: %v, want it there: %v", i, err, want)
		}
	}
	if err := c.Put(key(4), make([]byte, 3*size)); err != nil { // fits nowhere
		t.Fatal(err)
	}
	if n := files(t, c.folder); n != 3 {
		t.Errorf("%d files, want 3", n)
	}
}

func TestWhatKilledProcessesLeftIsRemoved(t *testing.T) {
	c := New(t.TempDir(), 1000)
	for _, name := range []string{atomicfile.Prefix + "1.xla", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(c.folder, name), make([]byte, 5000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := atomicfile.Write(filepath.Join(c.folder, "other"), func(*os.File) error { // is written meanwhile
		return c.Put(KeyOf(), []byte("code"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(c.folder, atomicfile.Prefix+"1.xla")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old one is there: %v", err)
	}
	if n := files(t, c.folder); n != 3 {
		t.Errorf("%d files, want the new one, the one that is being written, and the one that isn't ours", n)
	}
}
