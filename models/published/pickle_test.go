package published

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What torch.save can write here: nil, bool, int, float64, string and these.
type (
	list    []any
	tuple   []any
	dict    []pair
	ordered []pair // an OrderedDict
	pair    struct{ key, value any }
	object  struct { // of any class, made by a call without arguments
		module, name string
	}
	// view is a tensor: elements of a storage.
	view struct {
		*elements
		offset        int
		shape, stride []int
	}
	elements struct {
		class string // "FloatStorage"
		count int
		data  []byte // none for zeros, which take no place on disk
	}
)

// float32s is a dense float32 tensor.
func float32s(values []float32, shape ...int) view {
	data, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err)
	}
	return view{&elements{"FloatStorage", len(values), data}, 0, shape, dense(shape)}
}

// dense are the strides of a row-major tensor.
func dense(shape []int) []int {
	stride, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		stride[i] = n
		n *= shape[i]
	}
	return stride
}

// pickler writes values as Python's pickler does, protocol 2.
type pickler struct {
	bytes.Buffer
	storages []*elements
	keys     map[*elements]string
}

func (p *pickler) put(values ...any) {
	for _, v := range values {
		p.value(v)
	}
}

func (p *pickler) value(v any) {
	switch v := v.(type) {
	case nil:
		p.WriteString("N")
	case bool:
		p.WriteString(map[bool]string{true: "\x88", false: "\x89"}[v])
	case int:
		p.WriteString("\x8a\x08")
		p.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
	case float64:
		p.WriteString("G")
		p.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
	case string:
		p.WriteString("X")
		p.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(v))))
		p.WriteString(v)
	case list:
		p.WriteString("](")
		p.put(v...)
		p.WriteString("e")
	case tuple:
		p.WriteString("(")
		p.put(v...)
		p.WriteString("t")
	case dict:
		p.WriteString("}")
		p.pairs(v)
	case ordered:
		p.value(object{"collections", "OrderedDict"})
		p.pairs(v)
	case object:
		fmt.Fprintf(p, "c%s\n%s\n)R", v.module, v.name)
	case view:
		p.view(v)
	default:
		panic(fmt.Sprintf("no pickle of a %T", v))
	}
}

func (p *pickler) pairs(entries []pair) {
	p.WriteString("(")
	for _, e := range entries {
		p.put(e.key, e.value)
	}
	p.WriteString("u")
}

func (p *pickler) view(v view) {
	key, ok := p.keys[v.elements]
	if !ok {
		key = fmt.Sprint(len(p.storages))
		p.keys[v.elements] = key
		p.storages = append(p.storages, v.elements)
	}
	p.WriteString("ctorch._utils\n_rebuild_tensor_v2\n((")
	p.value("storage")
	fmt.Fprintf(p, "ctorch\n%s\n", v.class)
	p.put(key, "cuda:0", v.count)
	p.WriteString("tQ")
	p.put(v.offset, integers(v.shape), integers(v.stride), false, object{"collections", "OrderedDict"})
	p.WriteString("tR")
}

func integers(values []int) tuple {
	t := tuple{}
	for _, v := range values {
		t = append(t, v)
	}
	return t
}

// saved writes what torch.save(root) would, and returns the file's path.
func saved(t *testing.T, root any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := &pickler{keys: map[*elements]string{}}
	p.WriteString("\x80\x02")
	p.value(root)
	p.WriteString(".")
	w := zip.NewWriter(sparse{file})
	record := func(name string, size int, data io.Reader) {
		r, err := w.CreateRaw(&zip.FileHeader{Name: "archive/" + name, CompressedSize64: uint64(size), UncompressedSize64: uint64(size)})
		if err == nil {
			_, err = io.CopyN(r, data, int64(size))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	record("data.pkl", p.Len(), &p.Buffer)
	record("byteorder", 6, strings.NewReader("little"))
	for i, s := range p.storages {
		width := map[string]int{"HalfStorage": 2, "BFloat16Storage": 2, "FloatStorage": 4, "LongStorage": 8, "DoubleStorage": 8}[s.class]
		record(fmt.Sprint("data/", i), width*s.count, io.MultiReader(bytes.NewReader(s.data), nothing{}))
	}
	record("version", 2, strings.NewReader("3\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// nothing are zeros without end.
type nothing struct{}

func (nothing) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// sparse leaves holes where there are zeros.
type sparse struct{ file *os.File }

func (s sparse) Write(p []byte) (int, error) {
	if len(bytes.Trim(p, "\x00")) > 0 {
		return s.file.Write(p)
	}
	_, err := s.file.Seek(int64(len(p)), io.SeekCurrent)
	return len(p), err
}
