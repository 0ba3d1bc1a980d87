package arrays

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"mcvd/configs/regular"
	"mcvd/data/clips"
	"mcvd/data/npy"
)

// array is an array of videos in a file.
type array struct {
	path, name string
	size       int64 // of the file
	start      int64 // where the frames begin
	axes       string

	videos, frames, height, width, channels int
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
		var a *array
		a, err = newArray(io.NewSectionReader(file, 0, size), o.Axes)
		found = []*array{a}
		if a != nil {
			a.name = name
		}
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
		var a *array
		if err == nil {
			a, err = newArray(io.NewSectionReader(file, start, int64(member.UncompressedSize64)), o.Axes)
		}
		if err != nil {
			return nil, fmt.Errorf("array %.60q: %w", key, err)
		}
		a.start += start
		a.name = name + ":" + key
		found = append(found, a)
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

// newArray reads the header of an array, and compares its shape with the axes and with the number of
// bytes.
func newArray(from *io.SectionReader, axes string) (*array, error) {
	h, err := npy.ReadHeader(from)
	if err != nil {
		return nil, err
	}
	if h.Type != "|u1" {
		return nil, fmt.Errorf("an array of %.20s, want bytes from 0 to 255 (|u1): scale it, round it, and write it as numpy.uint8", h.Type)
	}
	if h.Fortran {
		return nil, errors.New("an array in Fortran's order: write numpy.ascontiguousarray of it")
	}
	if len(h.Shape) != len(axes) {
		return nil, fmt.Errorf("an array of shape %v, want %d axes, by data.options.axes %s", h.Shape, len(axes), axes)
	}
	rest := from.Size() - h.Bytes
	elements := int64(1)
	for _, n := range h.Shape {
		if n < 1 || int64(n) > rest/elements {
			return nil, fmt.Errorf("an array of shape %v in %d bytes: empty, or cut off", h.Shape, rest)
		}
		elements *= int64(n)
	}
	if elements != rest {
		return nil, fmt.Errorf("an array of shape %v, of %d bytes, want the %d that the file has", h.Shape, elements, rest)
	}
	a := &array{start: h.Bytes, axes: axes, videos: 1, channels: 1}
	for i, axis := range axes {
		*map[rune]*int{'n': &a.videos, 't': &a.frames, 'h': &a.height, 'w': &a.width, 'c': &a.channels}[axis] = h.Shape[i]
	}
	return a, nil
}

// read reads frames of a video from the array's file, beginning with number start.
func (a *array) read(file *os.File, video, start int, to clips.Clip) error {
	if !strings.HasPrefix(a.axes, "tn") { // the frames of a video lie behind each other
		return a.readAt(file, video*a.frames+start, to.Pix)
	}
	for i := range to.Frames {
		if err := a.readAt(file, (start+i)*a.videos+video, to.Slice(i, i+1).Pix); err != nil {
			return err
		}
	}
	return nil
}

// readAt reads from a frame on, counted in the order of the file.
func (a *array) readAt(file *os.File, frame int, to []uint8) error {
	_, err := file.ReadAt(to, a.start+int64(frame)*int64(a.height*a.width*a.channels))
	return err
}
