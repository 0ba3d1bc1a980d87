package torch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Views of more than one buffer, against the definition of a strided tensor.
func TestViewsOfALargeStorage(t *testing.T) {
	const n = 700_000 // 2.8 MB
	storage := floats(n)
	r := rand.New(rand.NewPCG(1, 2))
	views := []struct {
		offset        int64
		shape, stride []int64
	}{
		{0, []int64{n}, []int64{1}},
		{5, []int64{n - 5}, []int64{1}},
		{0, []int64{700, 1000}, []int64{1000, 1}},
		{0, []int64{1000, 700}, []int64{1, 1000}},
		{0, []int64{10, 7, 100, 100}, []int64{100, 100_000, 1, 1000}},
		{3, []int64{7}, []int64{100_000}},
		{n - 1, []int64{3, 1, 2}, []int64{0, 12345, 0}},
		{n - 1, []int64{}, []int64{}},
		{0, []int64{2, 700, 1000, 3}, []int64{0, 1, 700, 0}},
		{9, []int64{1, 4, 1}, []int64{5, 300_001 / 2, 7}},
		{n, []int64{0, 5}, []int64{1, 1}},
	}
	for range 10 { // permuted slices of [70, 100, 100] with steps
		size, stride := []int64{70, 100, 100}, []int64{10_000, 100, 1}
		v := views[0]
		v.shape, v.stride = nil, nil
		for _, i := range r.Perm(3) {
			step, start := 1+r.Int64N(3), r.Int64N(30)
			v.offset += start * stride[i]
			v.shape, v.stride = append(v.shape, (size[i]-start+step-1)/step), append(v.stride, step*stride[i])
		}
		views = append(views, v)
	}
	for _, v := range views {
		tensor := mustOpen(t, saved(viewed(stored("FloatStorage", "0", n), v.offset, v.shape, v.stride), storage)).Root().(*Tensor)
		got, err := tensor.Float32s()
		if err != nil {
			t.Fatalf("%+v: %v", v, err)
		}
		var want []float32
		var walk func(axis int, at int64)
		walk = func(axis int, at int64) {
			if axis == len(v.shape) {
				want = append(want, float32(at))
				return
			}
			for i := range v.shape[axis] {
				walk(axis+1, at+i*v.stride[axis])
			}
		}
		walk(0, v.offset)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: wrong elements", v)
		}
	}
}

func TestSeamsOfEveryWidth(t *testing.T) {
	for class, width := range map[string]int{"ByteStorage": 1, "ShortStorage": 2, "IntStorage": 4, "LongStorage": 8} {
		n := bufferSize/width + 3
		raw := make([]byte, n*width)
		for i := range n {
			raw[i*width] = byte(i % 101)
		}
		got, err := mustOpen(t, saved(stored(class, "0", int64(n)), string(raw))).Root().(*Tensor).Int64s()
		if err != nil || len(got) != n {
			t.Fatalf("%s: %d elements, %v", class, len(got), err)
		}
		for i, v := range got {
			if v != int64(i%101) {
				t.Fatalf("%s: element %d = %d", class, i, v)
			}
		}
	}
}

func TestWrongTypes(t *testing.T) {
	root := open(t, "2.15-zip.pt").Root().(*Dict)
	_, notFloat := at(root, "i64").(*Tensor).Float32s()
	_, notInteger := at(root, "f32").(*Tensor).Int64s()
	path := filepath.Join("testdata", "2.15-zip.pt")
	for want, err := range map[string]error{
		path + ": tensor of shape [3]: got I64, want F64, F32, F16 or BF16":                      notFloat,
		path + ": tensor of shape [4 6]: got F32, want integers of 64 bits with a sign or fewer": notInteger,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestOverlappingViews(t *testing.T) {
	for stride, overlap := range map[[2]int64]bool{{3, 1}: false, {2, 1}: true, {1, 2}: false, {1, 1}: true, {0, 1}: false, {0, 0}: false} {
		root := mustOpen(t, saved(viewed(stored("FloatStorage", "0", 9), 0, []int64{2, 3}, stride[:]), floats(9))).Root()
		_, err := root.(*Tensor).Float32s()
		if (err != nil) != overlap || overlap && !strings.Contains(err.Error(), "overlap, which is not supported") {
			t.Errorf("strides %v: %v", stride, err)
		}
	}
}

// The legacy form before PyTorch 0.4 has parts of storages. Storages lie in the order of the list
// of keys.
func TestLegacyParts(t *testing.T) {
	root := func(key string) string {
		return tuple(text("storage"), "ctorch\nFloatStorage\n", text(key), text("cpu"), integer(4), "N") + "Q"
	}
	part := tuple(text("storage"), "ctorch\nFloatStorage\n", text("b"), text("cuda:0"), integer(4), tuple(text("part"), integer(1), integer(3))) + "Q"
	source := tuple(text("module"), called("argparse", "Namespace"), text("net.py"), text("class Net")) + "Q"
	body := tuple(root("a"), viewed(part, 1, []int64{2}, []int64{1}), root("b"), source)
	count := "\x04\x00\x00\x00\x00\x00\x00\x00"
	b := legacy(body, tuple(text("b"), text("a")), count+floats(4)+count+strings.Repeat(floats(2), 2))
	list := mustOpen(t, b).Root().(List)
	for i, want := range [][]float32{{0, 1, 0, 1}, {2, 3}, {0, 1, 2, 3}} {
		if got, err := list[i].(*Tensor).Float32s(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d: %v, %v, want %v", i, got, err, want)
		}
	}
	if o, ok := list[3].(*Object); !ok || o.Class != "argparse.Namespace" {
		t.Errorf("module: %v", list[3])
	}
	refused(t, legacy(tuple(root("a"), viewed(part, 1, []int64{3}, []int64{1})), tuple(text("a"), text("b")), ""), "its storage has 3 elements")
	refused(t, saved(source), "doesn't name a storage")
}

// sparse is a file that leaves out what is written as long runs of zeros.
type sparse struct{ *os.File }

func (s sparse) Write(p []byte) (int, error) {
	if len(p) == 1<<20 {
		_, err := s.Seek(int64(len(p)), 1)
		return len(p), err
	}
	return s.File.Write(p)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Beyond 4 GiB a zip file has other headers, and a tensor still takes no more memory than its
// elements.
func TestLargeFile(t *testing.T) {
	const large = 4 << 30 // bytes
	path := filepath.Join(t.TempDir(), "large.pt")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	storage := func(key string, bytes int64) string { return stored("FloatStorage", key, bytes/4) }
	writeLarge(t, sparse{file}, pickled(tuple(viewed(storage("0", large), large/4-2, []int64{2}, []int64{1}), storage("1", 16))), large)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, want := range [][]float32{{0, 0}, {0, 1, 2, 3}} {
		if got, err := f.Root().(List)[i].(*Tensor).Float32s(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d: %v, %v, want %v", i, got, err, want)
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated", got)
	}
}

func TestTensorsInParallel(t *testing.T) {
	root := open(t, "2.15-zip.pt").Root().(*Dict)
	tensor := at(root, "transposed").(*Tensor)
	want, err := tensor.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := tensor.Float32s(); err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		})
	}
	wg.Wait()
}

func TestClosedFile(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "1.12-zip.pt"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Path() != filepath.Join("testdata", "1.12-zip.pt") {
		t.Errorf("path %s", f.Path())
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := at(f.Root(), "f32").(*Tensor).Float32s(); err == nil || !strings.HasPrefix(err.Error(), f.Path()+": tensor of shape [4 6]: ") {
		t.Errorf("after Close: %v", err)
	}
}

func TestDict(t *testing.T) {
	for _, n := range []int{2, 8, 9, 30} {
		var b bytes.Buffer
		b.WriteString("}(")
		for i := range n {
			b.WriteString(text(fmt.Sprint(i)) + integer(int64(i)))
		}
		b.WriteString(text("1") + "K\x63" + "K\x01\x85K\x01" + "K\x01\x85K\x02" + "u" + text("added") + "Ns")
		d := mustOpen(t, saved(b.String())).Root().(*Dict)
		if d.Len() != n+3 {
			t.Errorf("%d entries, want %d", d.Len(), n+3)
		}
		for i := range n {
			want := int64(i)
			if i == 1 {
				want = 99
			}
			if got, ok := d.Get(fmt.Sprint(i)); !ok || got != want {
				t.Errorf("%d of %d = %v, %t, want %d", i, n, got, ok, want)
			}
		}
		if v, ok := d.Get("added"); v != nil || !ok {
			t.Errorf("added = %v, %t", v, ok)
		}
		for _, key := range []any{"missing", 1, 1.0, nil, List{int64(1)}, []byte("1"), d} {
			if v, ok := d.Get(key); ok {
				t.Errorf("%v = %v, want nothing", key, v)
			}
		}
		if got := keys(d); got[0] != "0" || got[1] != "1" || fmt.Sprint(got[n]) != "[1]" || got[n+2] != "added" {
			t.Errorf("keys %v", got)
		}
	}
}

// References to one object stay references to one object.
func TestSharedObjects(t *testing.T) {
	root := mustOpen(t, saved("](]\x94K\x01ah\x00}\x94h\x01h\x00K\x02ae")).Root().(List)
	first, second := root[0].(List), root[1].(List)
	if len(first) != 2 || &first[0] != &second[0] || root[2].(*Dict) != root[3].(*Dict) || len(root[4].(List)) != 2 {
		t.Errorf("%v", root)
	}
}

func TestObjectsWithItems(t *testing.T) {
	root := mustOpen(t, saved("(ctorch\nMap\n)RK\x01K\x02s}bctorch\nList\n)\x81K\x03actorch\nNamed\n)}K\x01K\x02s\x92t")).Root().(List)
	m, l, n := root[0].(*Object), root[1].(*Object), root[2].(*Object)
	if v, _ := m.Items.(*Dict).Get(1); v != int64(2) || m.State.(*Dict).Len() != 0 || m.Args == nil || m.Class != "torch.Map" {
		t.Errorf("derived from dict: %+v", m)
	}
	if !slices.Equal(l.Items.(List), List{int64(3)}) || l.State != nil {
		t.Errorf("derived from list: %+v", l)
	}
	if v, _ := n.Args[0].(*Dict).Get(1); v != int64(2) {
		t.Errorf("named arguments: %+v", n)
	}
}
