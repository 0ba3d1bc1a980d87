package shards

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mcvd/data/clips"
	"mcvd/data/hdf5"
)

// shard is an open file of videos.
type shard struct {
	file *hdf5.File
	name string // its path below the data set's folder, with slashes
	root map[string]hdf5.Object
}

// video is one video of a shard.
type video struct {
	shard  *shard
	number int // in the shard
	frames int
	group  hdf5.Object // of the frames; 0 if there are none
	person int         // of KTH; 0 in other data sets
}

// maxFrames is a bound of the lengths of videos.
const maxFrames = 1 << 24

// openAll opens the shards of a folder below root, and lists the videos of all one after the other.
// Shards are in the order of their numbers, as are the videos in each.
func openAll(root, folder string) (opened []*shard, all []video, err error) {
	paths, err := filepath.Glob(filepath.Join(escaped(filepath.Join(root, folder)), "shard_*.hdf5"))
	if err == nil && len(paths) == 0 {
		err = noShards(filepath.Join(root, folder))
	}
	slices.SortFunc(paths, func(a, b string) int { // shard_10000 comes after shard_9999
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	for _, path := range paths {
		s := &shard{name: filepath.ToSlash(filepath.Join(folder, filepath.Base(path)))}
		if s.file, err = hdf5.Open(path); err != nil {
			break
		}
		opened = append(opened, s)
		videos, listing := s.videos()
		if listing != nil {
			err = fmt.Errorf("%s: %w", path, listing)
			break
		}
		all = append(all, videos...)
	}
	return opened, all, err
}

// escaped is a path as a pattern that only the path itself matches.
func escaped(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}

func noShards(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("data.path: %w: want the folder of the published shards; mcvd data help shards shows what lies in it", err)
	}
	return fmt.Errorf("%s: no shard_*.hdf5 in it", dir)
}

func closeAll(opened []*shard) {
	for _, s := range opened {
		s.file.Close()
	}
}

// videos lists the videos by the group len. Their numbers must be 0, 1 and so on: lists of videos
// count them.
func (s *shard) videos() ([]video, error) {
	var err error
	if s.root, err = s.file.Group(s.file.Root()); err != nil {
		return nil, err
	}
	group, ok := s.root["len"]
	if !ok {
		return nil, errors.New("no group len, which has the length of each video: not a shard as the published code writes it")
	}
	lengths, err := s.file.Group(group)
	if err != nil {
		return nil, fmt.Errorf("len: %w", err)
	}
	out := make([]video, 0, len(lengths))
	for number := range len(lengths) {
		name := strconv.Itoa(number)
		o, ok := lengths[name]
		if !ok {
			return nil, fmt.Errorf("len: it has %d videos, but none with number %d", len(lengths), number)
		}
		n, err := s.integer(o)
		if err == nil && (n < 0 || n > maxFrames) {
			err = fmt.Errorf("%d frames, want 0 to %d", n, maxFrames)
		}
		if err != nil {
			return nil, fmt.Errorf("len/%s: %w", name, err)
		}
		v := video{shard: s, number: number, frames: int(n)}
		if v.group, ok = s.root[name]; !ok && n > 0 {
			return nil, fmt.Errorf("video %s has no frames, but len/%s says %d", name, name, n)
		}
		out = append(out, v)
	}
	return out, nil
}

func (s *shard) integer(o hdf5.Object) (int64, error) {
	d, err := s.file.Dataset(o)
	if err != nil {
		return 0, err
	}
	return d.Int()
}

// count is a number that the shard has beside its videos.
func (s *shard) count(name string, most int) (int, error) {
	o, ok := s.root[name]
	if !ok {
		return 0, fmt.Errorf("%s: no %s, which the published code writes into the first shard", s.name, name)
	}
	n, err := s.integer(o)
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w", s.name, name, err)
	}
	if n < 0 || n > int64(most) {
		return 0, fmt.Errorf("%s: %s: %d, want 0 to the %d videos that there are", s.name, name, n, most)
	}
	return int(n), nil
}

// read fills a clip with frames of the video, beginning with number start.
func (v video) read(start int, to clips.Clip) error {
	frames, err := v.shard.file.Group(v.group)
	if err != nil {
		return err
	}
	want := []int{to.Height, to.Width, to.Channels}
	if to.Channels == 1 {
		want = want[:2]
	}
	for i := range to.Frames {
		name := strconv.Itoa(start + i)
		o, ok := frames[name]
		if !ok {
			return fmt.Errorf("frame %s is missing, the video has %d", name, v.frames)
		}
		d, err := v.shard.file.Dataset(o)
		if err == nil && (d.Size != 1 || d.Signed) {
			err = errors.New("elements are no bytes from 0 to 255")
		}
		if err == nil && !slices.Equal(d.Shape, want) {
			err = fmt.Errorf("shape %v, want %v, by data.size: frames are not scaled", d.Shape, want)
		}
		if err == nil {
			err = d.Read(to.Slice(i, i+1).Pix)
		}
		if err != nil {
			return fmt.Errorf("frame %s: %w", name, err)
		}
	}
	return nil
}
