package arrays

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mcvd/configs/regular"
	"mcvd/data/npy"
)

// array is an array of videos in a file.
type array struct {
	*npy.Frames
	path, name string
	size       int64 // of the file
}

// open finds the arrays of an .npy or .npz file.
func open(path, name string, o Options) ([]*array, error) {
	file, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []*array
	if strings.HasSuffix(path, ".npz") {
		found, err = members(file, size, name, o)
	} else {
		var frames *npy.Frames
		frames, err = npy.NewFrames(io.NewSectionReader(file, 0, size), o.Axes)
		found = []*array{{Frames: frames, name: name}}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, a := range found {
		a.path, a.size = path, size
	}
	return found, nil
}

// members finds the arrays of an .npz file of size bytes.
func members(file io.ReaderAt, size int64, name string, o Options) (found []*array, err error) {
	archive, err := zip.NewReader(file, size)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, member := range archive.File {
		key, ok := strings.CutSuffix(member.Name, ".npy")
		if !ok {
			continue
		}
		names = append(names, key)
		if o.Array != "" && key != o.Array {
			continue
		}
		start, err := place(member, size)
		var frames *npy.Frames
		if err == nil {
			frames, err = npy.NewFrames(io.NewSectionReader(file, start, int64(member.UncompressedSize64)), o.Axes)
		}
		if err != nil {
			return nil, fmt.Errorf("array %.60q: %w", key, err)
		}
		frames.Start += start
		found = append(found, &array{Frames: frames, name: name + ":" + key})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no array %q in it, but %.100q", o.Array, names)
	}
	slices.SortStableFunc(found, func(a, b *array) int { return strings.Compare(a.name, b.name) })
	for i, a := range found[1:] {
		if a.name == found[i].name {
			return nil, fmt.Errorf("two arrays have the name %.60q", a.name)
		}
	}
	return found, nil
}

// place is where the bytes of a member of an archive of size bytes begin.
func place(member *zip.File, size int64) (int64, error) {
	if member.Method != zip.Store {
		return 0, errors.New("it is compressed, so that no part of it can be read alone: write it with numpy.savez, not numpy.savez_compressed")
	}
	start, err := member.DataOffset()
	if err != nil {
		return 0, err
	}
	if member.UncompressedSize64 != member.CompressedSize64 || start < 0 || start > size || member.UncompressedSize64 > uint64(size-start) {
		return 0, errors.New("damaged: it goes on after the end of the file")
	}
	return start, nil
}
