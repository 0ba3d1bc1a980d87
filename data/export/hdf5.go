package export

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
	"mcvd/data/hdf5"
)

// writeHDF5 writes a shard of the published layout: a group for each video with an array for each
// frame, both named by their numbers, the group len with the lengths, and an empty group videos.
// Grey frames have no axis of channels, as KTH's.
func writeHDF5(_ context.Context, dir string, split clips.Split, videos Videos) error {
	path := filepath.Join(dir, string(split), "shard_0001.hdf5")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, func(tmp *os.File) error {
		w := hdf5.NewWriter(tmp)
		root, lengths := map[string]hdf5.Object{}, map[string]hdf5.Object{}
		for v, err := range videos {
			if err != nil {
				return err
			}
			shape := []int{v.Height, v.Width, v.Channels}
			if v.Channels == 1 {
				shape = shape[:2]
			}
			frames := map[string]hdf5.Object{}
			for i := range v.Frames {
				frames[strconv.Itoa(i)] = w.Bytes(shape, v.Slice(i, i+1).Pix)
			}
			number := strconv.Itoa(len(lengths))
			root[number], lengths[number] = w.Group(frames), w.Int(int64(v.Frames))
		}
		root["len"], root["videos"] = w.Group(lengths), w.Group(nil)
		return w.Close(w.Group(root))
	})
}
