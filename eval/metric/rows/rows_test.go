package rows

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/models/weights"
)

const magic = "\x93NUMPY"

// npyFile is an .npy file of a version with a header and data.
func npyFile(major byte, header string, data []byte) string {
	length := binary.LittleEndian.AppendUint16(nil, uint16(len(header)))
	if major > 1 {
		length = binary.LittleEndian.AppendUint32(nil, uint32(len(header)))
	}
	return magic + string([]byte{major, 0}) + string(length) + header + string(data)
}

func header(descr, fortran, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }          \n", descr, fortran, shape)
}

func bytesOf(order binary.AppendByteOrder, width int, values ...float64) (b []byte) {
	for _, v := range values {
		if width == 4 {
			b = order.AppendUint32(b, math.Float32bits(float32(v)))
		} else {
			b = order.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "features")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// safetensors writes a file of tensors [2, 3] of float64 with these names.
func safetensors(t testing.TB, shape []int, values []float64, names ...string) string {
	t.Helper()
	var entries []weights.Entry
	for _, name := range names {
		entries = append(entries, weights.Entry{Tensor: weights.Tensor{Name: name, DType: weights.F64, Shape: shape},
			Data: func() ([]byte, error) { return bytesOf(binary.LittleEndian, 8, values...), nil }})
	}
	path := filepath.Join(t.TempDir(), "features.safetensors")
	if err := weights.Write(path, nil, entries); err != nil {
		t.Fatal(err)
	}
	return path
}

// All kinds of files hold the same six numbers.
func TestRead(t *testing.T) {
	little, big := binary.LittleEndian, binary.BigEndian
	inOrder, byColumn := []float64{1, 2, 3, 4, 5, 6.5}, []float64{1, 4, 2, 5, 3, 6.5}
	want := [][]float32{{1, 2, 3}, {4, 5, 6.5}}
	for name, text := range map[string]string{
		"float32":                npyFile(1, header("<f4", "False", "(2, 3)"), bytesOf(little, 4, inOrder...)),
		"float64, version 2":     npyFile(2, header("<f8", "False", "(2, 3)"), bytesOf(little, 8, inOrder...)),
		"Fortran order":          npyFile(1, header("<f4", "True", "(2, 3)"), bytesOf(little, 4, byColumn...)),
		"Fortran order, float64": npyFile(3, header("<f8", "True", "(2, 3)"), bytesOf(little, 8, byColumn...)),
		"big-endian":             npyFile(1, header(">f4", "False", "(2, 3)"), bytesOf(big, 4, inOrder...)),
		"big-endian, float64":    npyFile(3, header(">f8", "True", "(2, 3)"), bytesOf(big, 8, byColumn...)),
		"Python 2, other order":  npyFile(1, `{"shape": (2L, 3L,),"descr":"<f4" , "fortran_order":False}`, bytesOf(little, 4, inOrder...)),
	} {
		got, err := Read(file(t, text), "")
		if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	for _, tensor := range []string{"", "b"} {
		names := []string{"b", "a"}[:1+len(tensor)]
		got, err := Read(safetensors(t, []int{2, 3}, inOrder, names...), tensor)
		if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("safetensors, tensor %q: %v, %v, want %v", tensor, got, err, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	six := []float64{1, 2, 3, 4, 5, 6}
	data := bytesOf(binary.LittleEndian, 4, six...)
	ok := header("<f4", "False", "(2, 3)")
	refused := func(name, path, tensor, want string) {
		t.Helper()
		rows, err := Read(path, tensor)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v, want one line with %s and %q", name, rows, err, path, want)
		}
	}
	for name, tt := range map[string]struct{ text, want string }{
		"empty":               {"", "neither .npy nor safetensors"},
		"text":                {"0.1 0.2\n0.3 0.4\n", "neither .npy nor safetensors"},
		"an archive":          {"PK\x03\x04 and more", "a zip archive, such as .npz"},
		"truncated":           {npyFile(1, ok, data[1:]), "23 bytes after the header, want those of 2 x 3 numbers of 4 bytes"},
		"too long":            {npyFile(1, ok, append(data[:24:24], 0)), "25 bytes after the header"},
		"no data":             {npyFile(1, ok, nil), "0 bytes after the header"},
		"version 4":           {npyFile(4, ok, data), "version 4"},
		"only the magic":      {magic, "cut off"},
		"half a header":       {npyFile(1, ok, nil)[:40], "cut off"},
		"a long header":       {magic + "\x02\x00\xff\xff\xff\xff", "a header of .npy of 4294967295 bytes"},
		"integers":            {npyFile(1, header("<i8", "False", "(2, 3)"), data), "an array of <i8, want float32 or float64"},
		"half precision":      {npyFile(1, header("<f2", "False", "(2, 3)"), data), "want float32 or float64"},
		"a structure":         {npyFile(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}", data), "between quotes"},
		"one axis":            {npyFile(1, header("<f4", "False", "(6,)"), data), "shape [6], want [vectors, numbers]"},
		"a scalar":            {npyFile(1, header("<f4", "False", "()"), data[:4]), "shape []"},
		"three axes":          {npyFile(1, header("<f4", "False", "(1, 2, 3)"), data), "shape [1 2 3]"},
		"no vectors":          {npyFile(1, header("<f4", "False", "(0, 3)"), nil), "shape [0 3]"},
		"a size out of range": {npyFile(1, header("<f4", "False", "(4611686018427387904, 4611686018427387904)"), data), "24 bytes after the header"},
		"a long number":       {npyFile(1, header("<f4", "False", "(99999999999999999999, 3)"), data), "want a number of elements"},
		"a negative number":   {npyFile(1, header("<f4", "False", "(-2, -3)"), data), "want a number of elements"},
		"neither true":        {npyFile(1, header("<f4", "true", "(2, 3)"), data), "want False"},
		"a key is missing":    {npyFile(1, "{'descr': '<f4', 'shape': (2, 3)}", data), "want descr, fortran_order and shape"},
		"a key twice":         {npyFile(1, "{'descr': '<f4', 'descr': '<f4', 'shape': (2, 3)}", data), "there twice"},
		"more behind it":      {npyFile(1, ok+"x", data), "after its end"},
		"a NaN":               {npyFile(1, ok, bytesOf(binary.LittleEndian, 4, 1, 2, 3, 4, math.NaN(), 6)), "row 1, number 1, counted from 0: NaN"},
		"too large a number":  {npyFile(1, header("<f8", "False", "(2, 3)"), bytesOf(binary.LittleEndian, 8, 1, 2, 1e300, 4, 5, 6)), "row 0, number 2, counted from 0: +Inf"},
	} {
		refused(name, file(t, tt.text), "", tt.want)
	}
	refused("a name for .npy", file(t, npyFile(1, ok, data)), "a", "holds one array")
	refused("no such file", filepath.Join(t.TempDir(), "none"), "", "no such file")
	refused("a folder", t.TempDir(), "", "not a regular file")
	refused("several tensors", safetensors(t, []int{2, 3}, six, "b", "a"), "", "2 tensors (b, a), want the name of one")
	refused("another tensor", safetensors(t, []int{2, 3}, six, "b", "a"), "c", `no tensor "c" in it, but b, a`)
	refused("a tensor of one axis", safetensors(t, []int{6}, six, "a"), "", `tensor "a": an array of shape [6]`)
	refused("infinity", safetensors(t, []int{2, 3}, []float64{1, 2, 3, 4, 5, math.Inf(1)}, "a"), "", `tensor "a": row 1, number 2`)
}

// FuzzRead reads any file: it is refused in one line, or has rows of one length and finite numbers.
func FuzzRead(f *testing.F) {
	f.Add([]byte(npyFile(1, header("<f4", "False", "(2, 3)"), bytesOf(binary.LittleEndian, 4, 1, 2, 3, 4, 5, 6))))
	f.Add([]byte(npyFile(2, header(">f8", "True", "(1, 1)"), bytesOf(binary.BigEndian, 8, 1))))
	f.Add([]byte(npyFile(3, `{"shape": (2L, 3L,),"descr":"<f4" , "fortran_order":False}`, nil)))
	text, err := os.ReadFile(safetensors(f, []int{2, 3}, []float64{1, 2, 3, 4, 5, 6}, "a"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	path := filepath.Join(f.TempDir(), "features") // of this process alone, which tries one input at a time
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		rows, err := Read(path, "")
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("more than one line: %v", err)
			}
			return
		}
		for _, row := range rows {
			if len(row) != len(rows[0]) || len(row) == 0 || slices.ContainsFunc(row, func(v float32) bool { return v-v != 0 }) {
				t.Fatalf("rows %v", rows)
			}
		}
	})
}
