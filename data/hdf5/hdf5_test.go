package hdf5

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// unzipped is a file of testdata.
func unzipped(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(b []byte) (*File, error) { return newFile(bytes.NewReader(b), int64(len(b))) }

// find is the object of a path.
func find(f *File, path string) (Object, error) {
	o := f.Root()
	for name := range strings.SplitSeq(path, "/") {
		links, err := f.Group(o)
		if err != nil {
			return 0, err
		}
		next, ok := links[name]
		if !ok {
			return 0, fmt.Errorf("no %s", path)
		}
		o = next
	}
	return o, nil
}

// elements reads a data set of a path.
func elements(f *File, path string) (*Dataset, []int64, error) {
	o, err := find(f, path)
	if err != nil {
		return nil, nil, err
	}
	d, err := f.Dataset(o)
	if err != nil {
		return nil, nil, err
	}
	b := bytes.Repeat([]byte{0xaa}, d.Bytes())
	if err := d.Read(b); err != nil {
		return nil, nil, err
	}
	var out []int64
	for ; len(b) > 0; b = b[d.Size:] {
		v := int64(0)
		for i, x := range b[:d.Size] {
			v |= int64(x) << (8 * i)
		}
		if unused := 64 - 8*d.Size; d.Signed {
			v = v << unused >> unused
		}
		out = append(out, v)
	}
	return d, out, nil
}

func arrays(t testing.TB) *File {
	t.Helper()
	f, err := open(unzipped(t, "arrays.hdf5"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Arrays of every type and layout that h5py wrote by a formula.
func TestArrays(t *testing.T) {
	f := arrays(t)
	shapes := map[string][]int{"chunked/none": {37, 50, 3}, "chunked/gzip": {37, 50, 3}, "chunked/lzf": {37, 50, 3},
		"chunked/fletcher32": {37, 50, 3}, "chunked/odd": {5, 5}, "plain/compact": {3, 5}, "attributes": {2, 2}}
	for _, kind := range []string{"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"} {
		shapes["plain/"+kind] = []int{5, 7}
	}
	for _, kind := range []string{"i2", "i4", "i8"} {
		shapes["all/gzip"+kind], shapes["all/lzf"+kind] = []int{21, 9}, []int{21, 9}
	}
	for path, shape := range shapes {
		d, got, err := elements(f, path)
		if err != nil || !slices.Equal(d.Shape, shape) {
			t.Errorf("%s: %+v, %v, want the shape %v", path, d, err, shape)
			continue
		}
		for i, v := range got {
			want := int64((i*7919 + 31) % 251)
			if strings.HasSuffix(path, "i1") {
				want = int64(int8(want))
			}
			if v != want {
				t.Errorf("%s: element %d is %d, want %d", path, i, v, want)
				break
			}
		}
	}
}

func TestValuesWithoutFormula(t *testing.T) {
	f := arrays(t)
	_, repeated, err := elements(f, "repeated")
	for i, v := range repeated {
		if v != int64(i/4096) {
			t.Fatalf("element %d is %d, want %d", i, v, i/4096)
		}
	}
	if err != nil || len(repeated) != 4*4096 {
		t.Errorf("%d elements, %v", len(repeated), err)
	}
	for path, want := range map[string]string{
		"unwritten": "[513 513 513 513 513 513 513 513 513 513 513 513 513 513 513 513]",
		"part":      "[9 9 7 7 9 9 7 7 7 7 7 7 7 7 7 7]",
	} {
		if _, got, err := elements(f, path); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v, want %s", path, got, err, want)
		}
	}
	for _, kind := range []string{"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"} {
		o, err := find(f, "number/"+kind)
		if err != nil {
			t.Fatal(err)
		}
		want := int64(250)
		if kind[0] == 'i' {
			want = -3
		}
		d, err := f.Dataset(o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Int(); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", kind, got, err, want)
		}
	}
}

// Chunks that go without some of their filters, and that stand in the file from the last to the first.
func TestChunksWithoutSomeFilters(t *testing.T) {
	f, err := open(unzipped(t, "rare.hdf5"))
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := elements(f, "masked")
	if err != nil || len(got) != 6*9 {
		t.Fatalf("%d elements, %v", len(got), err)
	}
	for i, v := range got {
		if want := int64((i*7919 + 31) % 251); v != want {
			t.Errorf("element %d is %d, want %d", i, v, want)
		}
	}
	if _, _, err := elements(f, "external"); err == nil || !strings.Contains(err.Error(), "its elements stand in other files") {
		t.Errorf("elements in another file: %v", err)
	}
}

// The four ways in which a file says what an element is that was never written.
func TestFillValues(t *testing.T) {
	for name, c := range map[string]struct {
		message []byte
		old     bool
		want    []byte
	}{
		"old":                  {[]byte{2, 0, 0, 0, 1, 2}, true, []byte{1, 2}},
		"1":                    {[]byte{1, 2, 1, 1, 2, 0, 0, 0, 1, 2}, false, []byte{1, 2}},
		"1, not defined":       {[]byte{1, 2, 1, 0, 0, 0, 0, 0}, false, nil},
		"1, without the sign":  {[]byte{1, 2, 1, 0, 2, 0, 0, 0, 1, 2}, false, []byte{1, 2}}, // the size counts alone
		"2":                    {[]byte{2, 2, 1, 1, 2, 0, 0, 0, 1, 2}, false, []byte{1, 2}},
		"2, not defined":       {[]byte{2, 2, 1, 0}, false, nil},
		"3":                    {[]byte{3, 0x29, 2, 0, 0, 0, 1, 2}, false, []byte{1, 2}},
		"3, not defined":       {[]byte{3, 0x09}, false, nil},
		"3, defined and empty": {[]byte{3, 0x29, 0, 0, 0, 0}, false, nil},
	} {
		d, read := &Dataset{Size: 2}, (*Dataset).readFill
		if c.old {
			read = (*Dataset).readFillValue
		}
		in := cursor{b: c.message}
		if err := read(d, &in); err != nil || in.cut || len(in.b) > 0 || !bytes.Equal(d.fill, c.want) {
			t.Errorf("version %s: %v, %v, cut off %t, %d bytes left, want %v", name, d.fill, err, in.cut, len(in.b), c.want)
		}
	}
	if err := (&Dataset{Size: 4}).readFill(&cursor{b: []byte{2, 2, 1, 1, 2, 0, 0, 0, 1, 2}}); err == nil || !strings.Contains(err.Error(), "a fill value of 2 bytes, elements have 4") {
		t.Errorf("a fill value of another size: %v", err)
	}
}

// A group whose tree has several levels.
func TestManyLinks(t *testing.T) {
	f := arrays(t)
	o, err := find(f, "len")
	if err != nil {
		t.Fatal(err)
	}
	links, err := f.Group(o)
	if err != nil || len(links) != 1200 {
		t.Fatalf("%d links, %v, want 1200", len(links), err)
	}
	for name, o := range links {
		d, err := f.Dataset(o)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := d.Int(); err != nil || strconv.FormatInt(v, 10) != name {
			t.Fatalf("%s: %d, %v", name, v, err)
		}
	}
}

func TestWhatIsNotKnownIsRefusedByName(t *testing.T) {
	f := arrays(t)
	for path, want := range map[string]string{
		"refused/float":   "elements of type floating-point, want integer",
		"refused/big":     "big-endian integers, want little-endian ones",
		"refused/string":  "elements of type string, want integer",
		"refused/scale":   "filter 6 (scale-offset): want lzf, gzip, shuffle or fletcher32",
		"refused/nothing": "a data set without elements",
		"tracked/a":       "version 2, want 1: write the file anew with h5py's default settings",
		"soft/link":       `"link" is a soft link, which is not supported`,
		"plain/u1/x":      "no group",
		"plain":           "no data set",
	} {
		if _, _, err := elements(f, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
	whole := unzipped(t, "arrays.hdf5")
	for want, b := range map[string][]byte{
		"superblock version 3, want 0": unzipped(t, "latest.hdf5"),
		"not an HDF5 file":             []byte("no such file"),
		"cut off: 50 bytes":            whole[:50],
		"cut off: 5000 bytes, want":    whole[:5000],
	} {
		if _, err := open(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "x.hdf5")
	if err := os.WriteFile(path, whole[:5000], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, filepath.Dir(path), path + "missing"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one that names %s", err, path)
		}
	}
}

// Sums that are folded now and then are those that are folded after each word.
func TestFletcher32(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "b"), rapid.IntRange(1, 3000).Draw(t, "times"))
		if got, want := fletcher32(b), definition(b); got != want {
			t.Fatalf("%08x, want %08x", got, want)
		}
	})
	if got := fletcher32([]byte{0xff, 0xff}); got != 0xffffffff {
		t.Errorf("a multiple of 65535 gives %08x", got)
	}
}

// definition folds the sums after each word, adding what is above 16 bits to what is below.
func definition(b []byte) uint32 {
	var low, high uint32
	for i := 0; i < len(b); i += 2 {
		word := uint32(b[i]) << 8
		if i+1 < len(b) {
			word |= uint32(b[i+1])
		}
		low += word
		low = low>>16 + low&0xffff
		high += low
		high = high>>16 + high&0xffff
	}
	return high<<16 | low
}

func TestLZF(t *testing.T) {
	for packed, want := range map[string]string{
		"\x02abc":           "abc",
		"\x00a\x20\x00":     "aaaa",          // three more, at distance 1
		"\x02abc\x40\x02":   "abcabca",       // four more, at distance 3
		"\x00a\xe0\x03\x00": "aaaaaaaaaaaaa", // 9 and 3 more
		"":                  "",
	} {
		to := make([]byte, len(want))
		if n, err := lzf(to, []byte(packed)); err != nil || string(to[:n]) != want {
			t.Errorf("%q: %q, %v, want %q", packed, to[:n], err, want)
		}
	}
	for _, packed := range []string{"\x02ab", "\x20\x00", "\x00a\x20", "\x00a\xe0", "\x00a\xe0\x01", "\x00a\x20\x01", "\x1fabc"} {
		if n, err := lzf(make([]byte, 100), []byte(packed)); err == nil {
			t.Errorf("%q: %d bytes and no error", packed, n)
		}
	}
	if _, err := lzf(make([]byte, 2), []byte("\x02abc")); err == nil {
		t.Error("more than the buffer holds: no error")
	}
}
