package hdf5

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Groups of any number of names, through trees of several levels, come back as they were written.
func TestWrittenFilesAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.hdf5")
	for _, n := range []int{0, 1, 8, 9, 256, 257, 9000} {
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w := NewWriter(file)
		links := map[string]Object{}
		for i := range n {
			links[fmt.Sprint(i)] = w.Int(int64(i) - 3)
		}
		root := w.Group(map[string]Object{"many": w.Group(links), "pix": w.Bytes([]int{2, 3, 1}, []uint8{1, 2, 3, 4, 5, 6})})
		if err := w.Close(root); err != nil {
			t.Fatal(err)
		}
		file.Close()
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		top, err := f.Group(f.Root())
		if err != nil {
			t.Fatal(err)
		}
		many, err := f.Group(top["many"])
		if err != nil || len(many) != n {
			t.Fatalf("%d names, %v, want %d", len(many), err, n)
		}
		for i := range n {
			d, err := f.Dataset(many[fmt.Sprint(i)])
			if err != nil {
				t.Fatal(err)
			}
			if got, err := d.Int(); err != nil || got != int64(i)-3 {
				t.Fatalf("%d is %d, %v", i, got, err)
			}
		}
		pix, err := f.Dataset(top["pix"])
		got := make([]uint8, 6)
		if err != nil || !slices.Equal(pix.Shape, []int{2, 3, 1}) || pix.Read(got) != nil || !bytes.Equal(got, []uint8{1, 2, 3, 4, 5, 6}) {
			t.Errorf("%v, %v, %v", pix, got, err)
		}
		f.Close()
	}
}

func TestNamesOfAnyKindAreFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.hdf5")
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9/ é]{1,20}`), 1, 40, rapid.ID).Draw(t, "names")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		w := NewWriter(file)
		links := map[string]Object{}
		for i, name := range names {
			links[name] = w.Int(int64(i))
		}
		if err := w.Close(w.Group(links)); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, err := f.Group(f.Root())
		if err != nil || len(got) != len(names) {
			t.Fatalf("%d names, %v, want %d", len(got), err, len(names))
		}
		for name, o := range links {
			if got[name] != o {
				t.Fatalf("%q is at %d, want %d", name, got[name], o)
			}
		}
	})
}

func TestWriterRefuses(t *testing.T) {
	for name, write := range map[string]func(w *Writer) Object{
		"an array of another size": func(w *Writer) Object { return w.Bytes([]int{2}, []uint8{1}) },
		"a name with a zero":       func(w *Writer) Object { return w.Group(map[string]Object{"a\x00b": 96}) },
		"an empty name":            func(w *Writer) Object { return w.Group(map[string]Object{"": 96}) },
	} {
		file, err := os.Create(filepath.Join(t.TempDir(), "a.hdf5"))
		if err != nil {
			t.Fatal(err)
		}
		w := NewWriter(file)
		if err := w.Close(write(w)); err == nil {
			t.Errorf("%s: no error", name)
		}
		file.Close()
	}
}

// The recorded file was read by h5py, with the names and values that are written here.
func TestWrittenBytesAreThoseThatH5pyRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.hdf5")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := NewWriter(file)
	frame := func(i uint8) Object { return w.Bytes([]int{1, 2, 3}, []uint8{i, 1, 2, 3, 4, 5}) }
	video := w.Group(map[string]Object{"0": frame(7), "1": frame(8)})
	if err := w.Close(w.Group(map[string]Object{"0": video, "len": w.Group(map[string]Object{"0": w.Int(2)}), "videos": w.Group(nil)})); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	want, wantErr := os.ReadFile("testdata/written.hdf5")
	if err != nil || wantErr != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v, %v, want the %d recorded ones", len(got), err, wantErr, len(want))
	}
}
