// Package kth is KTH (Schüldt, Laptev and Caputo 2004) as its owners distribute it: AVI files of
// persons who walk, jog, run, box, wave and clap.
package kth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/resize"
	"mcvd/data/video"
)

// Options are the settings under data.options.
type Options struct {
	Sequences string  `yaml:"sequences" doc:"KTH's list of sequences, 00sequences.txt, below data.path: each of its ranges of frames is a video; empty for whole files, as published."`
	Cache     string  `yaml:"cache" doc:"The folder for decoded frames; empty for .mcvd-cache in data.path."`
	Valid     float64 `yaml:"valid" range:"[0.001, 0.5]" doc:"The fraction of the training persons for validation; at least one."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Valid: 0.05} }

// actions are the folders of KTH.
var actions = []string{"boxing", "handclapping", "handwaving", "jogging", "running", "walking"}

// named are the files of KTH.
var named = regexp.MustCompile(`^(person(\d\d)_([a-z]+)_d\d)_uncomp\.avi$`)

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	err := c.Data.Options.Decode("data.options", &o)
	var p configs.Problems
	p.Check(c.Data.Channels == 1, "data.channels", c.Data.Channels, "1, as KTH is grey", "data.name")
	return o, errors.Join(err, p.Err())
}

// Decode is how the published converter makes frames: from 160x120 squeezed into a square by OpenCV.
func Decode(c *configs.Config) (video.DecodeOptions, error) {
	return video.DecodeOptions{Size: c.Data.Size, Channels: c.Data.Channels, Crop: video.Squeeze, Filter: resize.OpenCV}, nil
}

// Open decodes the videos of a split; see [decoded.Open]. They come person by person. Persons 1 to 20
// are for training and validation, 21 to 25 for the test.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*decoded.Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	files, err := find(c.Data.Path)
	if err != nil {
		return nil, err
	}
	set := decoded.Set{Root: c.Data.Path, Split: split, Cache: o.Cache, Fail: c.Data.OnError == "fail", Classes: actions}
	set.Decode, err = Decode(c)
	if err != nil {
		return nil, err
	}
	var ranges map[string][]decoded.Part
	if o.Sequences != "" {
		if ranges, err = readSequences(filepath.Join(c.Data.Path, o.Sequences)); err != nil {
			return nil, err
		}
	}
	persons := clips.Persons(slices.Sorted(maps.Keys(files)), split, o.Valid)
	if len(persons) == 0 {
		return nil, fmt.Errorf("%s: split %s is empty: want files of persons 1 to 20 for training, of 21 to 25 for the test", c.Data.Path, split)
	}
	for _, person := range persons {
		for _, f := range files[person] {
			s, err := decoded.Film(f.name, f.path)
			parts, listed := ranges[f.sequence]
			if err == nil && ranges != nil && !listed {
				err = fmt.Errorf("no line in %s", o.Sequences)
			}
			if err != nil {
				set.Problems = append(set.Problems, decoded.Problem{Name: f.name, Err: err})
				continue
			}
			s.Class = path.Dir(f.name) // the action
			for _, p := range parts {
				s.Parts = append(s.Parts, decoded.Part{Name: f.name + ":" + p.Name, From: p.From, To: p.To})
			}
			set.Sources = append(set.Sources, s)
		}
	}
	return decoded.Open(ctx, set, frames, log)
}

// file is an AVI file of KTH.
type file struct {
	name, path string // name is below the folder of all actions
	sequence   string // its name in the list of sequences
}

// find lists the files of each person, sorted by action and name.
func find(root string) (map[int][]file, error) {
	root = decoded.Below(root, "raw")
	files := map[int][]file{}
	for _, action := range actions {
		entries, err := os.ReadDir(filepath.Join(root, action))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			m := named.FindStringSubmatch(e.Name())
			if m == nil || m[3] != action {
				continue
			}
			person, _ := strconv.Atoi(m[2]) // two digits
			files[person] = append(files[person], file{path.Join(action, e.Name()), filepath.Join(root, action, e.Name()), m[1]})
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no files of KTH in it: want walking/person01_walking_d1_uncomp.avi and others, in folders for the actions", root)
	}
	return files, nil
}

// FPS is how many frames a second the videos have, 0 if that is unknown.
func FPS(ctx context.Context, c *configs.Config) float64 {
	files, err := find(c.Data.Path)
	if err != nil {
		return 0
	}
	for _, person := range slices.Sorted(maps.Keys(files)) {
		if fps, err := video.FPS(ctx, files[person][0].path); err == nil {
			return fps
		}
	}
	return 0
}
