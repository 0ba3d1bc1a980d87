// Package export writes clips in the layouts that other programs read.
package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
)

// Video is a clip to be written.
type Video struct {
	clips.Clip
	FPS    float64 // frames a second, above 0
	Person int     // who is in a video of KTH, 0 if that is unknown; see [clips.Person]
}

// Videos yields what is written, or an error that ends the writing.
type Videos = iter.Seq2[Video, error]

// format is how the videos of a split are written below an empty folder.
type format struct {
	write func(ctx context.Context, dir string, split clips.Split, videos Videos) error
	// own are the names of its files and folders, as patterns. None may be there before: readers would
	// take it for one of the set. What makes it complete comes last.
	own     []string
	beside  string // a file that goes with those of a split; one without them is of others, and is removed
	bySplit bool   // each split has a folder of its own
}

// formats are what a format can be.
var formats = map[string]format{
	"hdf5":       {writeHDF5, []string{"*.hdf5"}, personsFile, true},
	"lerobot":    {writeLeRobot, []string{"videos", "data", "meta"}, "", false},
	"mp4":        {writeMP4, []string{"*.mp4"}, "", false},
	"webdataset": {writeTar, []string{"*.tar"}, "", true},
}

// Formats lists the names of the formats.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }

// Write writes videos below a folder, which is made:
//
//	mp4         00000.mp4, 00001.mp4 and so on in the folder itself, without loss
//	hdf5        SPLIT/shard_0001.hdf5, as the published code's converters write it, and for grey
//	            videos that all have a person SPLIT/persons.pkl
//	lerobot     a recording in LeRobot's format v3 in the folder itself, of which each video is an
//	            episode; all must have one rate
//	webdataset  SPLIT/000000.tar, with an array 000000.npy for each video: bytes [frames, height,
//	            width, channels]
//
// They grow in a temporary folder and move when all are there. It fails if the folder has such files
// already, if ctx ends, at an error of videos, and if there are no videos.
func Write(ctx context.Context, format, dir string, split clips.Split, videos Videos) error {
	f, some := formats[format], false
	into := dir
	if f.bySplit {
		into = filepath.Join(dir, string(split))
	}
	if err := f.unused(into); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	atomicfile.Clean(dir)
	tmp, done, err := atomicfile.TempDir(dir)
	if err != nil {
		return err
	}
	defer done()
	err = f.write(ctx, tmp, split, func(yield func(Video, error) bool) {
		for v, err := range videos {
			if err == nil {
				err = context.Cause(ctx)
			}
			some = some || err == nil
			if !yield(v, err) || err != nil {
				return
			}
		}
		if !some {
			yield(Video{}, errors.New("no videos to write"))
		}
	})
	if err != nil {
		return err
	}
	from, err := filepath.Rel(dir, into)
	if err != nil {
		return err
	}
	return f.move(filepath.Join(tmp, from), into)
}

// move moves what was written to its place.
func (f format) move(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if f.beside != "" {
		if err := os.Remove(filepath.Join(to, f.beside)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, pattern := range append(f.own, f.beside) {
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if ok, err := filepath.Match(pattern, e.Name()); err != nil || !ok {
				continue
			}
			if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// unused fails if a folder has files of this format.
func (f format) unused(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		for _, pattern := range f.own {
			if ok, err := filepath.Match(pattern, e.Name()); err != nil || ok {
				return fmt.Errorf("%s: it is there already: remove it and those beside it, or write to another folder", filepath.Join(dir, e.Name()))
			}
		}
	}
	return nil
}
