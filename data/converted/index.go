// Package converted is a data set of the videos of another, written once into few large files of
// package store. Reading is then a copy with a checksum, without any decoding.
//
// A converted store is a folder with train, valid and test, in which shards lie, and an index of
// them. While a store is written its plan stands in the place of the index.
package converted

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"mcvd/configs/atomicfile"
	"mcvd/configs/regular"
	"mcvd/data/clips"
	"mcvd/data/store"
)

// The files in a store's folder, beside the shards.
const (
	indexName = "index"
	planName  = "plan"
)

const (
	version  = 1
	maxIndex = 64 << 20
)

// index is what a store's folder holds and how it was made, as a line of JSON and a line with its
// CRC-32C. A plan is an index whose shards are not written yet.
type index struct {
	Version int `json:"version"`
	store.Format
	Source string  `json:"source"` // SHA-256 of names, sizes and times of all files that the videos were made from
	Videos string  `json:"videos"` // SHA-256 of names and lengths of all videos
	Shards []shard `json:"shards"`
}

// shard is a file of videos.
type shard struct {
	Name   string `json:"name"` // its path below the store's folder, with slashes
	Videos int    `json:"videos"`
	Frames int    `json:"frames"`
	Bytes  int64  `json:"bytes,omitempty"` // of the file; 0 in a plan
	Sum    uint32 `json:"sum,omitempty"`   // CRC-32C of the file's own index; 0 in a plan
}

// split is the split whose videos a shard has.
func (s shard) split() clips.Split { return clips.Split(path.Dir(s.Name)) }

func shardName(split clips.Split, number int) string {
	return fmt.Sprintf("%s/%05d%s", split, number, store.Extension)
}

// ofSplit are the shards of a split.
func (x index) ofSplit(split clips.Split) (shards []shard) {
	for _, s := range x.Shards {
		if s.split() == split {
			shards = append(shards, s)
		}
	}
	return shards
}

// write writes an index or a plan.
func (x index) write(path string) error {
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(tmp *os.File) error {
		_, err := fmt.Fprintf(tmp, "%s\ncrc32c %08x\n", text, crc32.Checksum(text, castagnoli))
		return err
	})
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// read reads an index or a plan of a store's folder, and verifies it.
func read(dir, name string) (index, error) {
	file := filepath.Join(dir, name)
	f, size, err := regular.Open(file)
	if err != nil {
		return index{}, err
	}
	defer f.Close()
	if size > maxIndex {
		return index{}, fmt.Errorf("%s: %d bytes, want up to %d", file, size, maxIndex)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxIndex))
	if err != nil {
		return index{}, err
	}
	x, err := parse(text, name == indexName)
	if err != nil {
		return index{}, fmt.Errorf("%s: %w: damaged, or no store's %s; choose another folder, or remove this one and convert again", file, err, name)
	}
	return x, nil
}

// open reads the index of a store. A store that is not whole, or a folder that is none, is an
// error.
func open(dir string) (index, error) {
	x, err := read(dir, indexName)
	if !errors.Is(err, fs.ErrNotExist) {
		return x, err
	}
	if _, plan := os.Stat(filepath.Join(dir, planName)); plan == nil {
		return index{}, fmt.Errorf("%s: its conversion did not end: the same `mcvd data convert` again goes on with it", dir)
	}
	return index{}, fmt.Errorf("%s: no converted store: %w; `mcvd data convert SOURCE %s` makes one", dir, err, dir)
}

// parse is strict: what it accepts was written by [index.write].
func parse(text []byte, whole bool) (x index, err error) {
	line, sum, _ := bytes.Cut(text, []byte("\n"))
	if string(sum) != fmt.Sprintf("crc32c %08x\n", crc32.Checksum(line, castagnoli)) {
		return index{}, errors.New("its checksum is wrong")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return index{}, err
	}
	if x.Version != version {
		return index{}, fmt.Errorf("version %d, want %d", x.Version, version)
	}
	if min(x.Height, x.Width, x.Channels) < 1 || x.Chunk < 0 || len(x.Shards) == 0 {
		return index{}, fmt.Errorf("%d shards of frames of %dx%dx%d in chunks of %d", len(x.Shards), x.Height, x.Width, x.Channels, x.Chunk)
	}
	numbers := map[clips.Split]int{}
	for _, s := range x.Shards {
		split := s.split()
		if split.Check() != nil || s.Name != shardName(split, numbers[split]) || min(s.Videos, s.Frames) < 1 || whole && s.Bytes < 1 {
			return index{}, fmt.Errorf("shard %q of %d videos, %d frames, %d bytes", s.Name, s.Videos, s.Frames, s.Bytes)
		}
		numbers[split]++
	}
	return x, nil
}

// openShard opens a shard of an index, and compares the two.
func (x index) openShard(dir string, s shard) (*store.File, error) {
	f, err := store.OpenFile(filepath.Join(dir, filepath.FromSlash(s.Name)))
	if err != nil {
		return nil, err
	}
	if f.Size() != s.Bytes || f.Sum() != s.Sum || f.Format != x.Format {
		return nil, fmt.Errorf("%s: another file than the index names: %d bytes with the checksum %08x, want %d with %08x: %w", s.Name,
			f.Size(), f.Sum(), s.Bytes, s.Sum, store.ErrDamaged)
	}
	return f, nil
}
