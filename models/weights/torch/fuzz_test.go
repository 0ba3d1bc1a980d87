package torch

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// hostile are bodies of pickles from which fuzzing begins.
var hostile = []string{
	called("posix", "system", text("true")), laughs("(h%h%t", 30), "]\x94h\x00a", "X\xff\xff\xff\xff", "Nr\x00\x00\x00\x80",
	viewed(stored("FloatStorage", "0", 4), 0, []int64{1 << 16, 1}, []int64{0, 1}),
	viewed(stored("FloatStorage", "0", 4), 0, []int64{3, 2}, []int64{1, 1}),
	viewed(stored("HalfStorage", "0", 8), -1, []int64{4}, []int64{1 << 62}),
	called("torch._tensor", "_rebuild_from_type_v2", "ctorch._utils\n_rebuild_parameter\n", "N", tuple(stored("LongStorage", "0", 2)), "}"),
	strings.Repeat("]", 2000) + strings.Repeat("a", 1999), called("collections", "OrderedDict", "](K\x00N\x86e"),
	"(ctorch\nMap\n)RK\x01K\x02s}bctorch\nList\n)\x81K\x03actorch\nNamed\n)}K\x01K\x02s\x92t",
}

// FuzzOpen reads any file.
func FuzzOpen(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.pt")
	if err != nil || len(paths) == 0 {
		f.Fatal("no files in testdata: ", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, body := range hostile {
		f.Add(saved(body, floats(4)))
		f.Add(legacy(body, "]", ""))
	}
	f.Fuzz(check)
}

// FuzzPickle reads any pickle in a file that is sound around it.
func FuzzPickle(f *testing.F) {
	for _, body := range hostile {
		f.Add(body)
	}
	everything, err := os.ReadFile("testdata/2.15-protocol5.pt")
	if err != nil {
		f.Fatal(err)
	}
	start := strings.Index(string(everything), "\x80\x05")
	f.Add(string(everything[start : start+4000]))
	f.Fuzz(func(t *testing.T, body string) { check(t, saved(body, floats(4))) })
}

// FuzzPlain reads any file as a plain pickle.
func FuzzPlain(f *testing.F) {
	for _, body := range append(hostile, array("f4", "<", []int64{2, 2}, false, floats(4)), buffered("f2", []int64{2}, "C", floats(1)),
		"}("+text("a")+array("f4", ">", []int64{1 << 62}, true, floats(1))+"u") {
		f.Add([]byte(pickled(body)))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkOpened(t, b, openPlain) })
}

// check wants an error of one line or values that can be walked and read, in memory that the file's
// size bounds.
func check(t *testing.T, b []byte) { checkOpened(t, b, openBytes) }

func checkOpened(t *testing.T, b []byte, open func([]byte) (*File, error)) {
	var before, opened, read runtime.MemStats
	runtime.ReadMemStats(&before)
	file, err := open(b)
	runtime.ReadMemStats(&opened)
	if got, limit := opened.TotalAlloc-before.TotalAlloc, uint64(4<<20+512*len(b)); got > limit {
		t.Fatalf("%d bytes allocated for a file of %d, want %d at most", got, len(b), limit)
	}
	if err != nil {
		if file != nil || !strings.HasPrefix(err.Error(), "mem: ") || strings.Contains(err.Error(), "\n") {
			t.Fatalf("file %v and error %q", file, err)
		}
		return
	}
	w := walker{t: t, values: maxValues, elements: 1 << 20, limit: 4 << 20}
	w.walk(file.Root(), 0)
	runtime.ReadMemStats(&read)
	if got := read.TotalAlloc - opened.TotalAlloc; got > w.limit {
		t.Fatalf("%d bytes allocated for the tensors, want %d at most", got, w.limit)
	}
}

// walker follows every reference, as importers do.
type walker struct {
	t        *testing.T
	values   int    // that it may still come by
	elements int64  // that it may still read
	limit    uint64 // bytes that reading may take
}

func (w *walker) walk(v any, depth int) {
	if w.values--; w.values < 0 || depth > maxDepth {
		w.t.Fatalf("depth %d, %d values left", depth, w.values)
	}
	switch v := v.(type) {
	case List:
		for _, item := range v {
			w.walk(item, depth+1)
		}
	case *Dict:
		for key, value := range v.All() {
			w.walk(key, depth+1)
			w.walk(value, depth+1)
		}
	case *Object:
		w.readArray(v)
		w.walk(v.State, depth+1)
		w.walk(v.Items, depth+1)
		w.walk(v.Args, depth+1)
	case *Tensor:
		w.read(v)
	case *list, *object, span:
		w.t.Fatalf("a %T, which isn't what Root promises", v)
	}
}

// readArray reads the array that an object may stand for. Each reference to it reads it anew.
func (w *walker) readArray(o *Object) {
	a, err := o.Array()
	if a == nil {
		return
	}
	w.limit += 4096
	if w.elements -= int64(len(a.data)); w.elements < 0 {
		return
	}
	w.limit += 4 * uint64(len(a.data))
	values, err2 := a.Float32s()
	if err != nil || err2 == nil && len(values)*a.dtype.Width() != len(a.data) {
		w.t.Fatalf("%d elements of %d bytes, %v", len(values), len(a.data), err)
	}
}

// read reads a tensor, until those read would take long.
func (w *walker) read(tensor *Tensor) {
	if tensor.n > max(tensor.count, maxRepeated) {
		w.t.Fatalf("%d elements of a storage of %d", tensor.n, tensor.count)
	}
	if w.elements -= tensor.n; w.elements < 0 {
		return
	}
	w.limit += uint64(1024 + 16*tensor.n + 16*min(bufferSize, tensor.storage.count*tensor.width))
	floats, err := tensor.Float32s()
	integers, err2 := tensor.Int64s()
	if err == nil && int64(len(floats)) != tensor.n || err2 == nil && int64(len(integers)) != tensor.n || err == nil && err2 == nil {
		w.t.Fatalf("%d and %d elements, want %d, %v, %v", len(floats), len(integers), tensor.n, err, err2)
	}
}
