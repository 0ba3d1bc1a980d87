package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs/atomicfile"
)

// entry makes an entry of bytes that are there already.
func entry(name string, dtype DType, shape []int, data []byte) Entry {
	return Entry{Tensor{name, dtype, shape}, func() ([]byte, error) { return data, nil }}
}

// small is a file with several widths, an empty tensor, a scalar and names that need quoting.
func small(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.safetensors")
	err := Write(path, map[string]string{"step": "7", "config": "a: \"b\"\n"}, []Entry{
		entry("flags", BOOL, []int{3}, []byte{1, 0, 1}),
		entry("scalar", F32, nil, []byte{0, 0, 128, 63}),
		entry("none", F64, []int{2, 0}, nil),
		entry("größe/\"a\"", BF16, []int{2, 1}, []byte{1, 2, 3, 4}),
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// open opens a file that is in memory.
func open(data []byte) (*File, error) { return newFile("mem", bytes.NewReader(data), int64(len(data))) }

// foreign lays out a file as other programs do: without checksums, not padded.
func foreign(header string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dtypes := slices.Sorted(maps.Keys(widths))
		names := rapid.SliceOfNDistinct(rapid.String(), 0, 6, rapid.ID).Draw(t, "names")
		metadata := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")
		want := map[string][]byte{}
		var entries []Entry
		for _, name := range names {
			dtype := rapid.SampledFrom(dtypes).Draw(t, "dtype")
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "shape")
			size, err := Tensor{name, dtype, shape}.Size()
			if err != nil {
				t.Fatal(err)
			}
			data := rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(t, "data")
			entries = append(entries, entry(name, dtype, shape, data))
			want[name] = data
		}
		path, again := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		if err := errors.Join(Write(path, metadata, entries), Write(again, metadata, entries)); err != nil {
			t.Fatal(err)
		}
		first, _ := os.ReadFile(path)
		second, _ := os.ReadFile(again)
		if len(first) == 0 || !bytes.Equal(first, second) {
			t.Fatal("equal arguments gave different files")
		}
		checkFormat(t, first, len(entries))
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		bad := false // Decode, too, knows what is finite
		for _, e := range entries {
			if slices.Contains([]DType{F64, F32, F16, BF16}, e.DType) {
				numbers := make([]float64, len(want[e.Name])/e.DType.Width())
				Decode(numbers, want[e.Name], e.DType)
				bad = bad || slices.ContainsFunc(numbers, func(x float64) bool { return x-x != 0 })
			}
		}
		if err := f.Verify(); errors.As(err, new(NotFiniteError)) != bad || err != nil && !bad {
			t.Fatalf("%v, want an error of values that are not finite: %t", err, bad)
		}
		if got := f.Metadata(); !maps.Equal(got, metadata) {
			t.Fatalf("metadata = %q, want %q", got, metadata)
		}
		if len(f.Tensors()) != len(entries) {
			t.Fatalf("%d tensors, want %d", len(f.Tensors()), len(entries))
		}
		for _, e := range entries {
			got, ok := f.Lookup(e.Name)
			if !ok || got.Name != e.Name || got.DType != e.DType || !slices.Equal(got.Shape, e.Shape) {
				t.Fatalf("Lookup = %v %v, want %v", got, ok, e.Tensor)
			}
			data, err := f.Read(e.Name)
			if err != nil || !bytes.Equal(data, want[e.Name]) {
				t.Fatalf("Read(%q) = %v %v, want %v", e.Name, data, err, want[e.Name])
			}
		}
	})
}

// checkFormat reads a file by the rules of the format alone, written apart from the package's own
// reader.
func checkFormat(t *rapid.T, file []byte, tensors int) {
	n := binary.LittleEndian.Uint64(file)
	text, data := file[8:8+n], file[8+n:]
	if n%8 != 0 || text[0] != '{' {
		t.Fatalf("header of %d bytes begins with %q", n, text[0])
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	var metadata map[string]string
	if err := json.Unmarshal(header["__metadata__"], &metadata); err != nil {
		t.Fatal(err)
	}
	delete(header, "__metadata__")
	if len(header) != tensors {
		t.Fatalf("%d tensors, want %d", len(header), tensors)
	}
	width := map[string]int{"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}
	covered := make([]int, len(data))
	for name, raw := range header {
		var info struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &info); err != nil {
			t.Fatal(err)
		}
		size := width[info.DType]
		if size == 0 || info.Offsets[0]%size != 0 {
			t.Fatalf("%q: %+v is not aligned", name, info)
		}
		for _, dim := range info.Shape {
			size *= dim
		}
		if info.Offsets[1]-info.Offsets[0] != size {
			t.Fatalf("%q: %+v, want %d bytes", name, info, size)
		}
		for i := info.Offsets[0]; i < info.Offsets[1]; i++ {
			covered[i]++
		}
	}
	for i, times := range covered {
		if times != 1 {
			t.Fatalf("byte %d belongs to %d tensors", i, times)
		}
	}
}

func TestFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.safetensors")
	one := entry("a", U8, []int{2}, []byte{1, 2})
	if err := Write(path, nil, []Entry{one}); err != nil {
		t.Fatal(err)
	}
	old, _ := os.ReadFile(path)
	broken := errors.New("device lost")
	for _, tt := range []struct {
		name     string
		metadata map[string]string
		entries  []Entry
		want     string
	}{
		{"Data fails", nil, []Entry{one, {Tensor{"b", U8, []int{1}}, func() ([]byte, error) { return nil, broken }}}, `tensor "b": device lost`},
		{"too few bytes", nil, []Entry{entry("b", F32, []int{2}, make([]byte, 4))}, `tensor "b": got 4 bytes, want 8`},
		{"same name", nil, []Entry{one, one}, `tensor "a": name given twice`},
		{"reserved name", nil, []Entry{entry("__metadata__", U8, nil, []byte{1})}, "reserved"},
		{"reserved key", map[string]string{"mcvd.crc32c.x": ""}, nil, "reserved"},
		{"unknown dtype", nil, []Entry{entry("b", "F8", nil, nil)}, `unknown dtype "F8"`},
		{"name not UTF-8", nil, []Entry{entry("\xff", U8, nil, []byte{1})}, "UTF-8"},
		{"metadata not UTF-8", map[string]string{"a": "\xff"}, nil, "UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Write(path, tt.metadata, tt.entries)
			if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %s: ... %s", err, path, tt.want)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, old) {
				t.Error("the old file changed")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, atomicfile.Prefix+"*")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

func TestOneTensorInMemoryAtATime(t *testing.T) {
	var order []string
	var entries []Entry
	for _, tensor := range []Tensor{{"byte", U8, []int{1}}, {"long", I64, []int{1}}, {"double", F64, []int{1}}} {
		entries = append(entries, Entry{tensor, func() ([]byte, error) {
			order = append(order, tensor.Name)
			return make([]byte, widths[tensor.DType]), nil
		}})
	}
	if err := Write(filepath.Join(t.TempDir(), "a"), nil, entries); err != nil {
		t.Fatal(err)
	}
	if want := []string{"long", "double", "byte"}; !slices.Equal(order, want) {
		t.Errorf("Data was called in the order %v, want once each, %v", order, want)
	}
}

// What is wrong with a tensor of the file that weights come from is said with its own name there, and
// once.
func TestAnErrorOfReadingNamesTheTensorOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.safetensors")
	if err := Write(path, nil, []Entry{entry("theirs", F32, []int{2}, make([]byte, 8))}); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte{1}, info.Size()-1); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	in, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out := filepath.Join(t.TempDir(), "out.safetensors")
	ours := Entry{Tensor: Tensor{Name: "ours", DType: F32, Shape: []int{2}}, Data: func() ([]byte, error) { return in.Read("theirs") }}
	want := out + ": " + path + `: tensor "theirs": checksum `
	if err := Write(out, nil, []Entry{ours}); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}
