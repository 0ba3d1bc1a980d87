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
	"strings"

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

// format is how the videos of a split are written below a folder.
type format struct {
	write func(ctx context.Context, dir string, split clips.Split, videos Videos) error
	// suffix is that of its files. None may be there before: readers would take it for one of the set.
	// It is "" for a format that looks itself for what is there.
	suffix  string
	bySplit bool // each split has a folder of its own
}

// formats are what a format can be.
var formats = map[string]format{
	"hdf5":       {writeHDF5, ".hdf5", true},
	"lerobot":    {writeLeRobot, "", false},
	"mp4":        {writeMP4, ".mp4", false},
	"webdataset": {writeTar, ".tar", true},
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
// HDF5 files, recordings and tars are whole or not there. It fails if the folder has such files
// already, if ctx ends, at an error of videos, and if there are no videos.
func Write(ctx context.Context, format, dir string, split clips.Split, videos Videos) error {
	f, some := formats[format], false
	if err := f.unused(dir, split); err != nil {
		return err
	}
	return f.write(ctx, dir, split, func(yield func(Video, error) bool) {
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
}

// unused fails if the folder of a split has files of this format.
func (f format) unused(dir string, split clips.Split) error {
	if f.bySplit {
		dir = filepath.Join(dir, string(split))
	}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, file := range files {
		if f.suffix != "" && strings.HasSuffix(file.Name(), f.suffix) {
			return fmt.Errorf("%s: it is there already: remove it and those beside it, or write to another folder", filepath.Join(dir, file.Name()))
		}
	}
	return nil
}
