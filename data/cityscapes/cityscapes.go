// Package cityscapes is Cityscapes' video sequences (Cordts et al. 2016) as its owners distribute them:
// PNG images from a car that drives through 50 cities, 30 of them for each sequence.
package cityscapes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/resize"
	"mcvd/data/video"
)

// Options are the settings under data.options.
type Options struct {
	Cache string `yaml:"cache" doc:"The folder for decoded frames; empty for .mcvd-cache in data.path."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{} }

const (
	length = 30 // images of a sequence
	rate   = 17 // images a second
)

// folders are the owners' names of the splits.
var folders = map[clips.Split]string{clips.Train: "train", clips.Valid: "val", clips.Test: "test"}

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	err := c.Data.Options.Decode("data.options", &o)
	var p configs.Problems
	p.Check(c.Data.Channels == 3, "data.channels", c.Data.Channels, "3, as Cityscapes is in colour", "data.name")
	return o, errors.Join(err, p.Err())
}

// Decode is how the published converter makes frames: the middle in the proportions of data.size, a square as published, scaled as PIL does it.
func Decode(c *configs.Config) (video.DecodeOptions, error) {
	return video.DecodeOptions{FPS: c.Data.FPS, ImageFPS: rate, Size: c.Data.Size, Width: c.Data.Width, Channels: c.Data.Channels,
		Crop: video.Center, Filter: resize.Lanczos}, nil
}

// Open decodes the sequences of a split, city by city; see [decoded.Open].
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*decoded.Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	set := decoded.Set{Root: c.Data.Path, Split: split, Cache: o.Cache, Fail: c.Data.OnError == "fail"}
	if set.Decode, err = Decode(c); err != nil {
		return nil, err
	}
	root := filepath.Join(decoded.Below(c.Data.Path, "leftImg8bit_sequence"), folders[split])
	cities, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("%w: want the folders of Cityscapes' package leftImg8bit_sequence", err)
	}
	for _, city := range cities {
		name := city.Name()
		if info, err := os.Stat(filepath.Join(root, name)); err == nil && info.IsDir() && !strings.HasPrefix(name, ".") {
			add(&set, path.Join(folders[split], name), filepath.Join(root, name))
		}
	}
	if len(set.Sources)+len(set.Problems) == 0 {
		return nil, fmt.Errorf("%s: no cities with PNG images in it", root)
	}
	return decoded.Open(ctx, set, frames, log)
}

// FPS is how many frames a second clips for training have: c.Data.FPS, or the 17 of the data set.
func FPS(_ context.Context, c *configs.Config) float64 { return cmp.Or(c.Data.FPS, rate) }

// add adds the sequences of a city. Its images, sorted by name, are cut into sequences, because the
// numbers in their names don't tell where one ends. So a city from which one image is missing is a
// problem as a whole.
func add(set *decoded.Set, city, dir string) {
	images, err := video.Images(dir)
	if err == nil && len(images)%length != 0 {
		err = fmt.Errorf("%d images, want a multiple of %d, the length of a sequence: is the download complete?", len(images), length)
	}
	if err != nil {
		set.Problems = append(set.Problems, decoded.Problem{Name: city, Err: err})
		return
	}
	slices.Sort(images)
	for sequence := range slices.Chunk(images, length) {
		name := path.Join(city, strings.TrimSuffix(filepath.Base(sequence[0]), "_leftImg8bit.png"))
		s, err := decoded.Stills(name, sequence)
		if err != nil {
			set.Problems = append(set.Problems, decoded.Problem{Name: name, Err: err})
			continue
		}
		set.Sources = append(set.Sources, s)
	}
}
