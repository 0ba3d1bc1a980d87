package torch

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
)

// The functions here write pickles instruction by instruction. Each returns the instructions that
// leave one value on the stack.

func pickled(body string) string { return "\x80\x02" + body + "." }

func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func integer(n int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func tuple(parts ...string) string { return "(" + strings.Join(parts, "") + "t" }

func integers64(ns ...int64) string {
	var parts []string
	for _, n := range ns {
		parts = append(parts, integer(n))
	}
	return tuple(parts...)
}

func called(module, name string, args ...string) string {
	return "c" + module + "\n" + name + "\n" + tuple(args...) + "R"
}

func stored(class, key string, count int64) string {
	return tuple(text("storage"), "ctorch\n"+class+"\n", text(key), text("cpu"), integer(count)) + "Q"
}

func viewed(storage string, offset int64, shape, stride []int64) string {
	return called("torch._utils", "_rebuild_tensor_v2", storage, integer(offset), integers64(shape...), integers64(stride...), "\x89", "}")
}

// record is a file in a zip file.
type record struct{ name, data string }

func zipped(records ...record) []byte { return zippedAs(zip.FileHeader{}, records...) }

// zippedAs has headers that say something other than that records are stored.
func zippedAs(header zip.FileHeader, records ...record) []byte {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, r := range records {
		h := header
		h.Name, h.CompressedSize64, h.UncompressedSize64 = r.name, uint64(len(r.data)), uint64(len(r.data))
		f, err := w.CreateRaw(&h)
		if err == nil {
			_, err = f.Write([]byte(r.data))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

// saved is a zip file of the object that body builds and of storages with the keys 0, 1 and so on.
func saved(body string, storages ...string) []byte {
	records := []record{{"any name/data.pkl", pickled(body)}, {"any name/byteorder", "little"}}
	for i, s := range storages {
		records = append(records, record{fmt.Sprint("any name/data/", i), s})
	}
	return zipped(append(records, record{"any name/version", "3\n"})...)
}

const (
	magicPickle   = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
	versionPickle = "\x80\x02M\xe9\x03."
)

var factsPickle = pickled("}" + text("little_endian") + "\x88s")

// legacy is a legacy file of the object that body builds, a list of keys and the storages with
// their counts.
func legacy(body, keys, storages string) []byte {
	return []byte(magicPickle + versionPickle + factsPickle + pickled(body) + pickled(keys) + storages)
}

// floats are the bytes of 0, 1, ... n-1.
func floats(n int) string {
	var b []byte
	for i := range n {
		b, _ = binary.Append(b, binary.LittleEndian, float32(i))
	}
	return string(b)
}

func openBytes(b []byte) (*File, error) {
	return newFile("mem", bytes.NewReader(b), int64(len(b)), false)
}

func mustOpen(t *testing.T, b []byte) *File {
	t.Helper()
	f, err := openBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// writeLarge is a zip file of a pickle, a storage of so many zeros and one of 0, 1, 2, 3.
func writeLarge(t *testing.T, w io.Writer, pickle string, size uint64) {
	t.Helper()
	z := zip.NewWriter(w)
	for _, r := range []struct {
		name string
		size uint64
		data io.Reader
	}{
		{"a/data.pkl", uint64(len(pickle)), strings.NewReader(pickle)},
		{"a/data/0", size, io.LimitReader(zeros{}, int64(size))},
		{"a/data/1", 16, strings.NewReader(floats(4))},
	} {
		f, err := z.CreateRaw(&zip.FileHeader{Name: r.name, CompressedSize64: r.size, UncompressedSize64: r.size})
		if err == nil {
			_, err = io.CopyBuffer(struct{ io.Writer }{f}, r.data, make([]byte, 1<<20))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}
