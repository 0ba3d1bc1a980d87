// Package bair is the data set BAIR robot pushing (Ebert et al. 2017) as its owners distribute it:
// TFRecord files.
package bair

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/tfrecord"
)

// Help says what the data set is, where it comes from, and how its files must lie.
const Help = `BAIR robot pushing: a robot's arm moves among objects on a table, seen by two fixed cameras. 43,264 videos for
training and 256 for the test, each of 30 RGB frames of 64x64.

Where from:  http://rail.eecs.berkeley.edu/datasets/bair_robot_pushing_dataset_v0.tar (30 GB; Ebert, Finn, Lee, Levine:
             Self-Supervised Visual Planning with Temporal Skip Connections, CoRL 2017, arXiv 1710.05268)
Licence:     its owners' terms; none is in the files

Layout of data.path, which is the folder softmotion30_44k of the tar:
  train/traj_10174_to_10429.tfrecords
  train/traj_10430_to_10685.tfrecords ...
  test/traj_0_to_255.tfrecords

Splits:      the folder test, as published; validation is a part of the folder train, evenly spread (data.options.valid)

  data: {name: bair, path: softmotion30_44k, size: 64, channels: 3}
`

// Options are the settings under data.options.
type Options struct {
	Camera string  `yaml:"camera" choices:"aux1 main" doc:"Which camera's frames: aux1, which published results use, or main."`
	Valid  float64 `yaml:"valid" range:"[0.001, 0.5]" doc:"The fraction of the training videos for validation; at least one."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Camera: "aux1", Valid: 0.05} }

// Frames are side x side pixels of RGB.
const (
	side      = 64
	channels  = 3
	maxFrames = 1 << 16 // a bound of a video's frames
)

// video is a record of a file.
type video struct {
	file   *file
	record int
}

// file is an open file of videos that have equally many frames.
type file struct {
	*tfrecord.File
	name   string // its path below the data set's folder, with slashes
	frames int
}

// Dataset is the videos of one split, file by file in the order of their names. It is safe for use by
// several goroutines. It keeps its files open until the program ends.
type Dataset struct {
	videos []video
	camera string
}

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	err := c.Data.Options.Decode("data.options", &o)
	var p configs.Problems
	p.Check(c.Data.Size == side, "data.size", c.Data.Size, fmt.Sprintf("%d, which frames of BAIR have: they are not scaled", side), "data.name")
	p.Check(c.Data.Channels == channels, "data.channels", c.Data.Channels, fmt.Sprintf("%d, which frames of BAIR have", channels), "data.name")
	return o, errors.Join(err, p.Err())
}

// Open opens the files of a split below c.Data.Path. Of each it reads the places of the records, and
// the first record, to know how many frames its videos have. Videos with fewer than frames frames
// are left out, with a line in log. It fails at files that are missing or broken, at frames that are
// not of 64x64, and if no video is left.
func Open(_ context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	d := &Dataset{camera: o.Camera}
	folder := "train"
	if split == clips.Test {
		folder = "test"
	}
	all, err := d.list(c.Data.Path, folder)
	if err != nil {
		return nil, err
	}
	if split != clips.Test {
		all = clips.Part(all, split, o.Valid)
	}
	d.videos, err = clips.LongEnough(all, func(v video) int { return v.file.frames }, frames, c.Data.Path, split, log)
	if err != nil {
		closeAll(all)
		return nil, err
	}
	return d, nil
}

// list opens the files of a folder below root and lists their videos. After an error none is open.
func (d *Dataset) list(root, folder string) (all []video, err error) {
	entries, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil {
		return nil, fmt.Errorf("data.path: %w", err)
	}
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".tfrecords" {
			continue
		}
		f, err := d.open(filepath.Join(root, folder, entry.Name()), folder+"/"+entry.Name())
		if err != nil {
			closeAll(all)
			return nil, err
		}
		if f.Len() == 0 {
			f.Close()
		}
		for i := range f.Len() {
			all = append(all, video{f, i})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no *.tfrecords with records in it", filepath.Join(root, folder))
	}
	return all, nil
}

// open opens a file and counts the frames of its first video.
func (d *Dataset) open(path, name string) (*file, error) {
	opened, err := tfrecord.Open(path)
	if err != nil {
		return nil, err
	}
	f := &file{File: opened, name: name}
	if f.Len() == 0 {
		return f, nil
	}
	example, err := f.example(0)
	if err == nil {
		for ; f.frames < maxFrames && has(example, d.key(f.frames)); f.frames++ {
			if _, err = d.frame(example, f.frames); err != nil {
				break
			}
		}
		if err == nil && f.frames == 0 {
			err = fmt.Errorf("record 0: no feature %s", d.key(0))
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func closeAll(all []video) {
	for i, v := range all {
		if i == 0 || v.file != all[i-1].file {
			v.file.Close()
		}
	}
}

// example reads a record.
func (f *file) example(record int) (tfrecord.Example, error) {
	b, err := f.Read(record)
	if err != nil {
		return nil, err
	}
	example, err := tfrecord.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", record, err)
	}
	return example, nil
}

// key is the name of the feature that has frame t.
func (d *Dataset) key(t int) string { return strconv.Itoa(t) + "/image_" + d.camera + "/encoded" }

func has(example tfrecord.Example, key string) bool {
	_, ok := example[key]
	return ok
}

// frame is frame t of a record: raw RGB.
func (d *Dataset) frame(example tfrecord.Example, t int) ([]byte, error) {
	f, ok := example[d.key(t)]
	if !ok {
		return nil, fmt.Errorf("no feature %s", d.key(t))
	}
	if len(f.Bytes) != 1 || len(f.Bytes[0]) != side*side*channels {
		got := fmt.Sprintf("%d pieces of bytes", len(f.Bytes))
		if len(f.Bytes) == 1 {
			got = fmt.Sprintf("%d bytes", len(f.Bytes[0]))
		}
		return nil, fmt.Errorf("feature %s: %s, want the %d of %dx%d RGB", d.key(t), got, side*side*channels, side, side)
	}
	return f.Bytes[0], nil
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.videos) }

// Name is the path of video i's file below the data set's folder, and its record in the file.
func (d *Dataset) Name(i int) string {
	return d.videos[i].file.name + ":" + strconv.Itoa(d.videos[i].record)
}

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.videos[i].file.frames }

// Clip reads frames of a video; see [clips.Dataset]. It reads the whole record, because its checksum
// is over all of it.
func (d *Dataset) Clip(i, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, i, start, frames); err != nil {
		return clips.Clip{}, err
	}
	v := d.videos[i]
	example, err := v.file.example(v.record)
	if err != nil {
		return clips.Clip{}, err
	}
	if n := v.file.frames; !has(example, d.key(n-1)) || has(example, d.key(n)) {
		return clips.Clip{}, fmt.Errorf("record %d: not %d frames, as the first record of the file has", v.record, n)
	}
	clip := clips.NewClip(frames, side, side, channels)
	for k := range frames {
		frame, err := d.frame(example, start+k)
		if err != nil {
			return clips.Clip{}, fmt.Errorf("record %d: %w", v.record, err)
		}
		copy(clip.Slice(k, k+1).Pix, frame)
	}
	return clip, nil
}
