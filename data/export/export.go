// Package export writes clips in the layouts that other programs read.
package export

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

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

// formats is what a format can be: how it writes the videos of a split below a folder.
var formats = map[string]func(ctx context.Context, dir string, split clips.Split, videos Videos) error{
	"hdf5":       writeHDF5,
	"lerobot":    writeLeRobot,
	"mp4":        writeMP4,
	"webdataset": writeTar,
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
// HDF5 files, recordings and tars are whole or not there. It fails if ctx ends, at an error of videos, and if
// there are no videos.
func Write(ctx context.Context, format, dir string, split clips.Split, videos Videos) error {
	some := false
	err := formats[format](ctx, dir, split, func(yield func(Video, error) bool) {
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
	return err
}
