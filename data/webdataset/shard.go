package webdataset

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"mcvd/configs/regular"
	"mcvd/data/clips"
	"mcvd/data/npy"
	"mcvd/data/video"
)

// sample is files of a shard with the same key. It has images, or an array, or a video file, or none
// of these.
type sample struct {
	path, name string // of the shard; the shard's path below the data set's folder, and the key
	size       int64  // of the shard
	images     []picture
	array      *npy.Frames
	film       video.Piece // of the shard; zero for none
}

// picture is where an image of a sample lies in its shard, and the number in its name.
type picture struct {
	number       int
	start, bytes int64
}

// block is what everything in a tar is a multiple of. Its end is two blocks of zeros.
const block = 512

// maxImage is the most bytes that an image may have.
const maxImage = 1 << 28

// length is the number of frames, as far as it is known without decoding.
func (s *sample) length() int {
	if s.array != nil {
		return s.array.Frames
	}
	return len(s.images)
}

// open lists the samples of a shard. Errors name it.
func open(path, name string) ([]*sample, error) {
	file, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	samples, err := index(file, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range samples {
		s.path, s.size, s.name = path, size, name+":"+s.name
	}
	return samples, nil
}

// index lists the samples of a tar of size bytes by their keys.
func index(file io.ReaderAt, size int64) (samples []*sample, err error) {
	section := io.NewSectionReader(file, 0, size)
	shard := tar.NewReader(section)
	seen, end := map[string]bool{}, int64(0)
	for {
		head, err := shard.Next()
		// The reader stands behind the head, where the file begins, or behind the end of the tar.
		start, seeking := section.Seek(0, io.SeekCurrent)
		if errors.Is(err, io.EOF) && start < end+block {
			return nil, fmt.Errorf("cut off: no end of the tar behind %d samples, in %d bytes", len(samples), size)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, seeking); err != nil {
			return nil, fmt.Errorf("no readable tar: %w", err)
		}
		end = start
		if head.Typeflag == tar.TypeReg {
			end += (head.Size + block - 1) / block * block
		}
		key, extension, ok := keyOf(head.Name)
		if head.Typeflag != tar.TypeReg || !ok {
			continue
		}
		for name := range head.PAXRecords {
			if strings.HasPrefix(name, "GNU.sparse.") {
				return nil, fmt.Errorf("%s: a sparse file: write it without holes", head.Name)
			}
		}
		if len(samples) == 0 || samples[len(samples)-1].name != key {
			if seen[key] {
				return nil, fmt.Errorf("%s: other samples lie between the files of sample %s: sort them by name, as tar --sort=name does", head.Name, key)
			}
			seen[key] = true
			samples = append(samples, &sample{name: key})
		}
		if head.Size > size-start {
			err = errors.New("cut off")
		} else {
			err = samples[len(samples)-1].add(extension, io.NewSectionReader(file, start, head.Size), start)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", head.Name, err)
		}
	}
	for _, s := range samples {
		if err := s.sort(); err != nil {
			return nil, fmt.Errorf("sample %s: %w", s.name, err)
		}
	}
	return samples, nil
}

// keyOf parts a name as webdataset does: the key goes up to the first dot of the last part of the
// path, and the extension is all that comes after it. Names that begin with a dot or with two
// underscores are no part of a sample.
func keyOf(name string) (key, extension string, ok bool) {
	dir, base := path.Split(name)
	before, extension, ok := strings.Cut(base, ".")
	return dir + before, strings.ToLower(extension), ok && before != "" && !strings.HasPrefix(base, "__")
}

// add adds a file that begins at a place of the shard.
func (s *sample) add(extension string, file *io.SectionReader, start int64) error {
	number, kind, numbered := strings.Cut(extension, ".")
	switch {
	case slices.Contains(extensions, extension) && s.film != (video.Piece{}):
		return errors.New("a second video file in the sample")
	case slices.Contains(extensions, extension):
		s.film = video.Piece{From: start, To: start + file.Size()}
	case extension == "npy":
		return s.addArray(file, start)
	case numbered && slices.Contains([]string{"png", "jpg", "jpeg"}, kind):
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return nil // such as key.mask.png
		}
		if file.Size() > maxImage {
			return fmt.Errorf("an image of %d bytes, want %d or fewer", file.Size(), maxImage)
		}
		s.images = append(s.images, picture{n, start, file.Size()})
	}
	return nil
}

// addArray reads the head of an array.
func (s *sample) addArray(file *io.SectionReader, start int64) error {
	h, err := npy.ReadHeader(file)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	axes := "thwc"
	if len(h.Shape) == 3 {
		axes = "thw"
	}
	if s.array != nil {
		return errors.New("a second array in the sample")
	}
	if s.array, err = npy.NewFrames(file, axes); err != nil {
		return err
	}
	s.array.Start += start
	return nil
}

// sort puts the images in the order of their numbers.
func (s *sample) sort() error {
	kinds := 0
	for _, has := range []bool{s.array != nil, len(s.images) > 0, s.film != (video.Piece{})} {
		if has {
			kinds++
		}
	}
	if kinds > 1 {
		return errors.New("it has two of an array, numbered images and a video file: want one video")
	}
	slices.SortFunc(s.images, func(a, b picture) int { return cmp.Compare(a.number, b.number) })
	for i := 1; i < len(s.images); i++ {
		switch last, next := s.images[i-1].number, s.images[i].number; {
		case next == last:
			return fmt.Errorf("it has image %d twice", next)
		case next != last+1:
			return fmt.Errorf("image %d comes after image %d: images between them are missing", next, last)
		}
	}
	return nil
}

// read reads frames, beginning with number start.
func (s *sample) read(file io.ReaderAt, start int, to clips.Clip, o video.DecodeOptions) error {
	if s.array != nil {
		return s.array.Read(file, 0, start, to)
	}
	for k, img := range s.images[start : start+to.Frames] {
		b := make([]byte, img.bytes)
		_, err := file.ReadAt(b, img.start)
		var frame []uint8
		if err == nil {
			frame, err = video.DecodeImage(b, o)
		}
		if err != nil {
			return fmt.Errorf("image %d: %w", img.number, err)
		}
		copy(to.Slice(k, k+1).Pix, frame)
	}
	return nil
}
