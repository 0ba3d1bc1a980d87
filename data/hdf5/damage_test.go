package hdf5

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A tree whose node is its own child ends in an error, as does one whose child has a wrong level.
func TestCyclicTrees(t *testing.T) {
	whole := unzipped(t, "arrays.hdf5")
	changed := 0
	for at := range whole[:len(whole)-treeHead] {
		node := whole[at:]
		if string(node[:4]) != "TREE" || node[5] == 0 {
			continue
		}
		changed++
		child := at + treeHead + 8 // of a group's node; a chunk's has longer keys
		if node[4] == 1 {
			child = at + treeHead + 8 + 4*8
		}
		b := slices.Clone(whole)
		binary.LittleEndian.PutUint64(b[child:], uint64(at))
		f, err := open(b)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for _, path := range []string{"len/0", "chunked/none", "chunked/gzip", "chunked/lzf", "chunked/fletcher32"} {
			if _, _, err := elements(f, path); err != nil {
				failed++
				if !strings.Contains(err.Error(), "the tree is cyclic or broken") {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
		if failed != 1 {
			t.Errorf("%d objects fail, want one", failed)
		}
	}
	if changed != 5 {
		t.Errorf("%d trees of several levels, want 5", changed)
	}
}

// zeros is a file that goes on with zeros after its bytes, as one with holes does.
type zeros []byte

func (z zeros) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	if at < int64(len(z)) {
		copy(p, z[at:])
	}
	return len(p), nil
}

// A file with holes can be larger than the memory, and so can what it says of its parts.
func TestPartsLargerThanMemory(t *testing.T) {
	b := unzipped(t, "arrays.hdf5")
	const size = 1 << 40
	heap := bytes.Index(b, []byte("HEAP"))
	binary.LittleEndian.PutUint64(b[heap+8:], size/2)
	binary.LittleEndian.PutUint64(b[heap+24:], uint64(len(b)))
	f, err := newFile(zeros(b), size)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Group(f.Root()); err == nil || !strings.Contains(err.Error(), "damaged: a part of 549755813888 bytes") {
		t.Errorf("error %v, want that the heap is too large", err)
	}
}

// Fletcher-32 and gzip find every changed byte of a chunk, and reading ends for every other.
func TestDamage(t *testing.T) {
	whole := unzipped(t, "arrays.hdf5")
	paths := []string{"chunked/fletcher32", "chunked/gzip", "all/lzfi4", "all/gzipi8"}
	want := map[string][]int64{}
	f := arrays(t)
	for _, path := range paths {
		_, values, err := elements(f, path)
		if err != nil {
			t.Fatal(err)
		}
		want[path] = values
	}
	spans := map[string][2]int{}
	for _, path := range paths {
		spans[path] = firstChunk(t, whole, path)
	}
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SampledFrom(paths).Draw(t, "path")
		b := slices.Clone(whole)
		span := spans[path]
		at := rapid.IntRange(span[0], span[1]-1).Draw(t, "at")
		b[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		f, err := open(b)
		if err != nil {
			t.Fatal(err)
		}
		_, got, err := elements(f, path)
		if err == nil && !slices.Equal(got, want[path]) {
			t.Fatalf("%s: byte %d of the chunk: wrong values and no error", path, at-span[0])
		}
	})
}

// firstChunk is from where to where the bytes of the first chunk of a data set stand.
func firstChunk(t *testing.T, b []byte, path string) [2]int {
	t.Helper()
	f, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	o, err := find(f, path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Dataset(o)
	if err != nil {
		t.Fatal(err)
	}
	node := b[d.layout.address:]
	for node[5] > 0 {
		node = b[binary.LittleEndian.Uint64(node[treeHead+8+8*(len(d.Shape)+1):]):]
	}
	start := int(binary.LittleEndian.Uint64(node[treeHead+8+8*(len(d.Shape)+1):]))
	return [2]int{start, start + int(binary.LittleEndian.Uint32(node[treeHead:]))}
}

// Whatever the bytes are, reading everything ends with values or an error. A number is written
// somewhere first, so that addresses change as a whole.
func FuzzFile(f *testing.F) {
	small := unzipped(f, "small.hdf5")
	f.Add(small, uint16(0), byte(0x89))
	f.Add(small, uint16(64), byte(96))
	f.Fuzz(func(t *testing.T, b []byte, at uint16, value byte) {
		if int(at) < len(b) {
			b = slices.Clone(b)
			b[at] = value
		}
		if file, err := open(b); err == nil {
			readAll(file, file.Root(), 0)
		}
	})
}

// readAll reads whatever can be read below an object.
func readAll(f *File, o Object, depth int) (arrays int) {
	if d, err := f.Dataset(o); err == nil {
		if d.Bytes() < 1<<20 && d.Read(make([]byte, d.Bytes())) == nil {
			arrays++
		}
		return arrays
	}
	links, err := f.Group(o)
	if err != nil || depth > 2 {
		return 0
	}
	for _, name := range slices.Sorted(maps.Keys(links)) {
		arrays += readAll(f, links[name], depth+1)
	}
	return arrays
}

// Every byte of a file changed, by its lowest bit or to 255 in turns: reading ends, and takes no more
// memory than an array may have.
func TestEveryByteChanged(t *testing.T) {
	small := unzipped(t, "small.hdf5")
	if f, err := open(small); err != nil || readAll(f, f.Root(), 0) != 4 {
		t.Fatalf("the file as it is can't be read: %v", err)
	}
	for at := range small {
		old := small[at]
		if small[at] ^= 1; at%2 == 1 {
			small[at] = 0xff
		}
		if f, err := open(small); err == nil {
			readAll(f, f.Root(), 0)
		}
		small[at] = old
	}
}
