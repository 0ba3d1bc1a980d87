package torch

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// contents is everything in a file, as text.
func contents(f *File) (string, error) {
	var out bytes.Buffer
	err := put(&out, f.Root())
	return out.String(), err
}

func put(out *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case List:
		for _, item := range v {
			if err := put(out, item); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "list of %d\n", len(v))
	case *Dict:
		for key, value := range v.All() {
			if err := put(out, List{key, value}); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "dict of %d\n", v.Len())
	case *Object:
		fmt.Fprintln(out, v.Class)
		return put(out, List{v.Args, v.State, v.Items})
	case *Tensor:
		floats, err := v.Float32s()
		integers, err2 := v.Int64s()
		fmt.Fprintln(out, v.DType(), v.Shape(), floats, integers)
		for _, err := range []error{err, err2} {
			// Each tensor is of one kind only, and some are of none that can be read: all that is
			// wrong with a good file.
			if err != nil && !strings.Contains(err.Error(), ", want F64") && !strings.Contains(err.Error(), ", want integers") && !strings.Contains(err.Error(), "which is not supported") {
				return err
			}
		}
	default:
		fmt.Fprintf(out, "%T %v\n", v, v)
	}
	return nil
}

// Every byte of a zip file that PyTorch wrote is turned into another. Either that is noticed, or
// what is in the file is as before: the byte was one of padding, of a time, or of a record that
// nobody reads.
func TestNoDamageGoesUnnoticed(t *testing.T) {
	files, err := filepath.Glob("testdata/*.pt")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(path string) bool { return strings.Contains(path, "legacy") })
	if len(files) < 5 {
		t.Fatalf("files %v", files)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			good := mustOpen(t, b)
			if !good.Summed() {
				t.Error("not all of it has checksums")
			}
			want, err := contents(good)
			if err != nil {
				t.Fatal(err)
			}
			noticed, harmless := 0, 0
			for i := range b {
				flip := byte(1) << (i % 8)
				b[i] ^= flip
				got := ""
				f, err := openBytes(b)
				if err == nil {
					got, err = contents(f)
				}
				switch {
				case err != nil:
					noticed++
				case got != want:
					t.Errorf("byte %d of %d, %#02x turned into %#02x: not noticed", i, len(b), b[i]^flip, b[i])
				default:
					harmless++
				}
				b[i] ^= flip
			}
			if noticed < len(b)/4 {
				t.Errorf("%d changes noticed in %d bytes", noticed, len(b))
			}
			t.Logf("%d changes noticed, %d harmless", noticed, harmless)
		})
	}
}

// A view of a part of its storage, one in another order, and one that repeats it depend on the
// checksum of the whole storage.
func TestViewsOfADamagedStorage(t *testing.T) {
	b, err := os.ReadFile("testdata/2.15-zip.pt")
	if err != nil {
		t.Fatal(err)
	}
	at := mustOpen(t, b).Root().(*Dict)
	base, _ := at.Get("f32")
	b[base.(*Tensor).at+1] ^= 0x10 // of the first element
	damaged := mustOpen(t, b).Root().(*Dict)
	for _, key := range []string{"f32", "transposed", "sliced", "strided", "storage"} {
		v, _ := damaged.Get(key)
		for range 2 {
			if values, err := v.(*Tensor).Float32s(); err == nil || values != nil || !strings.HasPrefix(err.Error(), "mem: tensor of shape ") ||
				!strings.Contains(err.Error(), `zip record "2.15-zip/data/0": checksum `) || !strings.HasSuffix(err.Error(), ": the file is damaged") {
				t.Errorf("%s: values %v, error %v", key, values, err)
			}
		}
	}
	v, _ := damaged.Get("f64")
	if _, err := v.(*Tensor).Float32s(); err != nil {
		t.Errorf("a tensor of another storage: %v", err)
	}
}

// A storage that is read in several parts is compared as a whole, whether a tensor is all of it or
// a few of its elements.
func TestDamageInALargeStorage(t *testing.T) {
	const count = 3*bufferSize/4 + 5
	body := tuple(viewed(stored("FloatStorage", "0", count), 0, []int64{count}, []int64{1}), viewed(stored("FloatStorage", "0", count), 7, []int64{2}, []int64{3}))
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	for name, data := range map[string]string{"a/data.pkl": pickled(body), "a/data/0": floats(count)} {
		r, err := w.CreateHeader(&zip.FileHeader{Name: name}) // with checksums
		if err == nil {
			_, err = r.Write([]byte(data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := file.Bytes()
	good := mustOpen(t, b)
	at := good.Root().(List)[0].(*Tensor).at
	for _, element := range []int64{-1, 0, count / 2, count - 1} {
		if element >= 0 {
			b[at+4*element] ^= 1
		}
		for i, tensor := range mustOpen(t, b).Root().(List) {
			if _, err := tensor.(*Tensor).Float32s(); (err == nil) != (element < 0) {
				t.Errorf("element %d damaged, tensor %d: error %v", element, i, err)
			}
		}
		if element >= 0 {
			b[at+4*element] ^= 1
		}
	}
}

// Where the writer made no checksums there is nothing to compare, and the file says so.
func TestFilesWithoutChecksums(t *testing.T) {
	body := viewed(stored("FloatStorage", "0", 4), 0, []int64{4}, []int64{1})
	for name, b := range map[string][]byte{"zip": saved(body, floats(4)), "legacy": legacy("N", "]", "")} {
		if f := mustOpen(t, b); f.Summed() {
			t.Errorf("%s: all of it has checksums", name)
		}
	}
	if f := open(t, "1.12-legacy.pt"); f.Summed() {
		t.Error("PyTorch's legacy form: all of it has checksums")
	}
}
