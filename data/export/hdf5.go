package export

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
	"mcvd/data/hdf5"
)

// personsFile lists the persons of the shards that it lies beside.
const personsFile = "persons.pkl"

// writeHDF5 writes a shard of the published layout: a group for each video with an array for each
// frame, both named by their numbers, the group len with the lengths, and an empty group videos.
// Grey frames have no axis of channels, as KTH's. Beside these stands the list of KTH's persons, if
// all videos have one.
func writeHDF5(_ context.Context, dir string, split clips.Split, videos Videos) error {
	path := filepath.Join(dir, string(split), "shard_0001.hdf5")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	list := filepath.Join(filepath.Dir(path), personsFile)
	persons := map[int][]int{}
	err := atomicfile.Write(path, func(tmp *os.File) error {
		w := hdf5.NewWriter(tmp)
		root, lengths := map[string]hdf5.Object{}, map[string]hdf5.Object{}
		for v, err := range videos {
			if err != nil {
				return err
			}
			if v.Height != v.Width {
				return fmt.Errorf("frames of %dx%d, want square ones, which alone the published code reads, and data.name: shards", v.Height, v.Width)
			}
			shape := []int{v.Height, v.Width, v.Channels}
			if v.Channels == 1 {
				shape = shape[:2]
			}
			frames := map[string]hdf5.Object{}
			for i := range v.Frames {
				frames[strconv.Itoa(i)] = w.Bytes(shape, v.Slice(i, i+1).Pix)
			}
			if v.Channels > 1 {
				v.Person = 0
			}
			persons[v.Person] = append(persons[v.Person], len(lengths))
			number := strconv.Itoa(len(lengths))
			root[number], lengths[number] = w.Group(frames), w.Int(int64(v.Frames))
		}
		root["len"], root["videos"] = w.Group(lengths), w.Group(nil)
		return w.Close(w.Group(root))
	})
	if err != nil || len(persons[0]) > 0 {
		return err
	}
	return atomicfile.Write(list, func(tmp *os.File) error {
		_, err := tmp.Write(pickle(persons))
		return err
	})
}

// pickle is a dictionary of lists of numbers from 0 to 2^31 - 1, as Python's pickle.load reads it
// (protocol 2, PEP 307).
func pickle(lists map[int][]int) []byte {
	out := []byte{0x80, 2, '}', '('}                                                              // PROTO 2, EMPTY_DICT, MARK
	number := func(n int) { out = binary.LittleEndian.AppendUint32(append(out, 'J'), uint32(n)) } // BININT
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		number(key)
		out = append(out, ']', '(') // EMPTY_LIST, MARK
		for _, n := range lists[key] {
			number(n)
		}
		out = append(out, 'e') // APPENDS
	}
	return append(out, 'u', '.') // SETITEMS, STOP
}
