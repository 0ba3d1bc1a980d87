package weights

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestEveryFlippedBitIsDetected(t *testing.T) {
	good := small(t)
	for i := range good {
		for bit := range 8 {
			bad := slices.Clone(good)
			bad[i] ^= 1 << bit
			f, err := open(bad)
			if err == nil {
				err = f.Verify()
			}
			if err == nil {
				t.Errorf("byte %d of %d, bit %d: no error", i, len(good), bit)
			}
		}
	}
}

func TestReadingVerifiesTheTensor(t *testing.T) {
	bad := small(t)
	bad[len(bad)-1] ^= 1 // in the last tensor, flags
	f, err := open(bad)
	if err != nil {
		t.Fatal(err)
	}
	const want = `mem: tensor "flags": checksum`
	if data, err := f.Read("flags"); data != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Read = %v, %v; want error %s", data, err, want)
	}
	if err := f.ReadInto("flags", make([]byte, 3)); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("ReadInto = %v, want %s", err, want)
	}
	if _, err := f.Read("scalar"); err != nil {
		t.Errorf("a tensor that is whole: %v", err)
	}
}

func TestTruncationIsAnError(t *testing.T) {
	for name, good := range map[string][]byte{
		"own":     small(t),
		"foreign": foreign(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, []byte{1, 2}),
	} {
		for n := range good {
			if _, err := open(good[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes: no error", name, n, len(good))
			}
		}
		if _, err := open(append(slices.Clone(good), 0)); err == nil {
			t.Errorf("%s: trailing byte: no error", name)
		}
	}
}

func TestForeignFile(t *testing.T) {
	f, err := open(foreign(`{"b":{"shape":[2],"data_offsets":[4,8],"dtype":"F16"},"__metadata__":{"format":"pt"},`+
		`"a":{"dtype":"I32","shape":[],"data_offsets":[0,4]}} `, []byte{1, 0, 0, 0, 0, 0x3c, 0, 0xc0}))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Tensors(); got[0].Name != "a" || got[1].Name != "b" {
		t.Errorf("tensors %v, want file order", got)
	}
	if got := f.Metadata()["format"]; got != "pt" {
		t.Errorf("format = %q", got)
	}
	if got, err := f.Float32s("b"); err != nil || !slices.Equal(got, []float32{1, -2}) {
		t.Errorf("b = %v, %v", got, err)
	}
	if err := f.Verify(); err != nil {
		t.Error(err)
	}
}

func TestBadFiles(t *testing.T) {
	tensor := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"a":{"dtype":"%s","shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
	}
	deep := `{"a":` + strings.Repeat(`{"a":`, 1e5) + strings.Repeat("}", 1e5) + "}"
	for _, tt := range []struct{ name, header, want string }{
		{"not JSON", `hello`, "not a safetensors file"},
		{"array", `[]`, "not a safetensors file"},
		{"text after the object", `{}{}`, "more text"},
		{"unknown dtype", tensor("F8", "[4]", "[0,4]"), `tensor "a": unknown dtype "F8"`},
		{"negative dimension", tensor("U8", "[-4]", "[0,4]"), `tensor "a": shape [-4] has a negative`},
		{"overflow", tensor("U8", "[4294967296,4294967296]", "[0,4]"), `tensor "a": shape [4294967296 4294967296] of U8 overflows`},
		{"overflow by width", tensor("F64", "[2305843009213693952]", "[0,0]"), "overflows"},
		{"dimension not an integer", tensor("U8", "[4.0]", "[0,4]"), `"a": `},
		{"dimension out of range", tensor("U8", "[9223372036854775808]", "[0,4]"), `"a": `},
		{"size and dtype differ", tensor("F32", "[4]", "[0,4]"), `tensor "a": data_offsets [0, 4], want [0, 16]`},
		{"gap before", tensor("U8", "[3]", "[1,4]"), "want [0, 3]"},
		{"outside of the file", tensor("U8", "[5]", "[0,5]"), "4 bytes after the header, want 5"},
		{"bytes left over", tensor("U8", "[3]", "[0,3]"), "4 bytes after the header, want 3"},
		{"negative offsets", tensor("U8", "[4]", "[-4,0]"), "want [0, 4]"},
		{"end before start", tensor("U8", "[4]", "[4,0]"), "want [0, 4]"},
		{"three offsets", tensor("U8", "[4]", "[0,2,4]"), "two offsets"},
		{"no shape", `{"a":{"dtype":"U8","data_offsets":[0,4]}}`, "want a shape"},
		{"member that the format lacks", `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}}`, `"a": `},
		{"overlap", `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`,
			`tensor "b": data_offsets [2, 4], want [4, 6]`},
		{"duplicate name", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`,
			"duplicate"},
		{"invalid UTF-8", "{\"\xff\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "UTF-8"},
		{"metadata not of strings", `{"__metadata__":{"a":1},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, `"__metadata__": `},
		{"deep nesting", deep, "header: "},
		{"one checksum only", `{"__metadata__":{"mcvd.crc32c.tensors":""},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, "not where mcvd puts them"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(foreign(tt.header, make([]byte, 4)))
			if err == nil || !strings.HasPrefix(err.Error(), "mem: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want mem: ... %s", err, tt.want)
			}
		})
	}
	if _, err := open([]byte("\xff\xff\xff\xff\xff\xff\xff\xff{}")); err == nil || !strings.Contains(err.Error(), "header of") {
		t.Errorf("huge header: %v", err)
	}
}

// A header may have 100 MB, which is time enough for a million tensors to be read: they are counted.
func TestTooManyTensors(t *testing.T) {
	many := func(n int) []byte {
		var header bytes.Buffer
		for i := range n {
			fmt.Fprintf(&header, `,"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
		}
		return foreign("{"+header.String()[1:]+"}", nil)
	}
	if f, err := open(many(maxTensors)); err != nil || len(f.Tensors()) != maxTensors {
		t.Errorf("%d tensors: %v", maxTensors, err)
	}
	const want = "mem: header: more than 100000 tensors, want 100000 or fewer"
	if _, err := open(many(maxTensors + 1)); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("one more: error %v, want %s", err, want)
	}
	if _, err := formatHeader(nil, make([]stored, maxTensors+1)); err == nil || err.Error() != "100001 tensors, want 100000 or fewer" {
		t.Errorf("written: error %v", err)
	}
}

func TestWrongRequests(t *testing.T) {
	f, err := open(small(t))
	if err != nil {
		t.Fatal(err)
	}
	_, missing := f.Read("x")
	_, notFloat := f.Float32s("flags")
	for want, err := range map[string]error{
		`mem: no tensor "x"`: missing,
		`mem: tensor "flags": got BOOL, want F64, F32, F16 or BF16`: notFloat,
		`mem: tensor "flags": got memory of 2 bytes, want 3`:        f.ReadInto("flags", make([]byte, 2)),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
	if _, ok := f.Lookup("x"); ok {
		t.Error("Lookup found a tensor that isn't there")
	}
	tensor, _ := f.Lookup("flags")
	tensor.Shape[0] = 9
	if again, _ := f.Lookup("flags"); again.Shape[0] != 3 {
		t.Error("a caller changed the file's shape")
	}
}

// FuzzOpen reads any file. What is accepted has no more bytes than the file, and what can be read of
// it can be written, and comes back.
func FuzzOpen(f *testing.F) {
	f.Add(small(f))
	f.Add(foreign(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"__metadata__":{"b":"c"}}  `, []byte{1, 2}))
	f.Add(foreign(`{"a":{"dtype":"F32","shape":[9223372036854775807,0],"data_offsets":[0,0]}}`, nil))
	f.Add(foreign(`{"a":[[[[[[`, nil))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x80{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := open(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "mem: ") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %q, want one line that names the file", err)
			}
			return
		}
		if file.Verify() != nil {
			return
		}
		var all []byte
		tensors := slices.Clone(file.tensors)
		for i, tensor := range tensors {
			got, err := file.Read(tensor.Name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, got...)
			tensors[i].sum = crc32.Checksum(got, castagnoli)
		}
		if len(all) > len(data) {
			t.Fatalf("tensors of %d bytes in a file of %d", len(all), len(data))
		}
		header, err := formatHeader(file.Metadata(), tensors)
		if err != nil {
			if strings.Contains(err.Error(), "are reserved") {
				return // a key of metadata that begins as those of checksums do
			}
			t.Fatal(err)
		}
		again, err := open(append(header, all...))
		if err == nil {
			err = again.Verify()
		}
		if err != nil || !reflect.DeepEqual(again.Tensors(), file.Tensors()) || !maps.Equal(again.Metadata(), file.Metadata()) {
			t.Fatalf("written and read again: %v, %v, want %v", again, err, file)
		}
	})
}
