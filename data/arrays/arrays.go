// Package arrays is a data set of videos in NumPy's files, .npy and .npz.
package arrays

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mcvd/configs"
	"mcvd/configs/regular"
	"mcvd/data/clips"
)

// Help says what the data set is, and how its files must lie.
const Help = `Videos in NumPy's arrays: .npy files of numpy.save, and .npz files of numpy.savez, which are archives of arrays.
Numbers are bytes (uint8), 0 for black and 255 for white. Frames are not scaled: data.size must be their height and
width, data.channels their channels.

Where from:  your own arrays; Moving MNIST's test file mnist_test_seq.npy is at
             https://www.cs.toronto.edu/~nitish/unsupervised_video/
Licence:     that of the videos

Layout of data.path:
  train/a.npy  train/b.npz ...
  valid/c.npy ...
  test/d.npy ...

data.options.axes says what the axes of the arrays are:
  nthwc   [videos, frames, height, width, channels]
  nthw    [videos, frames, height, width]
  tnhw    [frames, videos, height, width], as in mnist_test_seq.npy
  thwc    [frames, height, width, channels], an array for each video
  thw     [frames, height, width], an array for each video

Splits:      by these folders; without them a hash of a video's name decides

  data: {name: arrays, path: clips, size: 64, channels: 1, options: {axes: tnhw}}
`

// Options are the settings under data.options.
type Options struct {
	Axes  string  `yaml:"axes" choices:"nthwc nthw tnhw thwc thw" doc:"What the axes of the arrays are: n videos, t frames, h height, w width, c channels."`
	Array string  `yaml:"array" doc:"The name of the array in .npz files that has videos; empty if all have."`
	Valid float64 `yaml:"valid" range:"[0, 1]" doc:"The fraction of videos for validation, where data.path has no folders train, valid and test."`
	Test  float64 `yaml:"test" range:"[0, 1]" doc:"The fraction of videos for the test, where data.path has no folders train, valid and test."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Axes: "nthwc", Valid: 0.1, Test: 0.1} }

// video is one video of an array.
type video struct {
	*array
	number int
}

func (v video) name() string {
	if strings.Contains(v.Axes, "n") {
		return v.array.name + ":" + strconv.Itoa(v.number)
	}
	return v.array.name
}

// Dataset is the videos of one split, by the names of their files. It is safe for use by several
// goroutines. Files are opened for each clip.
type Dataset struct{ videos []video }

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	if err := c.Data.Options.Decode("data.options", &o); err != nil {
		return o, err
	}
	if !strings.Contains(o.Axes, "c") && c.Data.Channels != 1 {
		return o, configs.Problem{Path: "data.channels", Text: fmt.Sprintf("%d, want 1: arrays of axes %s have no channels", c.Data.Channels, o.Axes),
			Also: []string{"data.options.axes"}}
	}
	if o.Valid+o.Test > 1 {
		return o, configs.Problem{Path: "data.options.valid", Text: fmt.Sprintf("%g, and test %g: want at most 1 together", o.Valid, o.Test), Also: []string{"data.options.test"}}
	}
	return o, nil
}

// Open reads the headers of the .npy and .npz files of a split below c.Data.Path, at any depth.
// Videos with fewer than frames frames are left out, with a line in log. It fails at arrays that are
// broken, of other numbers than uint8, or of another size than c.Data.Frame, and if no video is left.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	root := c.Data.Path
	below, folders := clips.Folder(root, split)
	if standard := DefaultOptions(); folders && (o.Valid != standard.Valid || o.Test != standard.Test) {
		return nil, fmt.Errorf("data.options.valid and data.options.test have no effect because %s has folders for its splits", root)
	}
	all, err := list(ctx, root, below, o, c.Data)
	if err != nil {
		return nil, err
	}
	isPacked := func(v video) bool { return filepath.Ext(v.path) == ".npz" }
	if o.Array != "" && len(all) > 0 && !slices.ContainsFunc(all, isPacked) {
		log.Warn("data.options.array has no effect: there are no .npz files", "split", split, "array", o.Array)
	}
	if !folders {
		all = divide(all, split, clips.Shares{Valid: o.Valid, Test: o.Test})
	}
	videos, err := clips.LongEnough(all, func(v video) int { return v.Frames.Frames }, frames, root, split, log)
	if err != nil {
		return nil, fmt.Errorf("%w, in .npy and .npz files", err)
	}
	return &Dataset{videos}, nil
}

// divide keeps the videos of a split.
func divide(all []video, split clips.Split, shares clips.Shares) (out []video) {
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = v.name()
	}
	splits := shares.All(names)
	for i, v := range all {
		if splits[names[i]] == split {
			out = append(out, v)
		}
	}
	return out
}

// list lists the videos of the files below a folder of root, by name. Hidden files and folders are
// left out.
func list(ctx context.Context, root, below string, o Options, want configs.Data) (all []video, err error) {
	height, width := want.Frame()
	err = regular.Walk(filepath.Join(root, below), func(name string) error {
		extension := path.Ext(name)
		if err := ctx.Err(); err != nil || extension != ".npy" && extension != ".npz" {
			return err
		}
		name = path.Join(below, name)
		arrays, err := open(filepath.Join(root, filepath.FromSlash(name)), name, o)
		if err != nil {
			return err
		}
		for _, a := range arrays {
			if a.Height != height || a.Width != width || a.Channels != want.Channels {
				return fmt.Errorf("%s: frames of %dx%dx%d, want %dx%dx%d, by data.size and data.channels: frames are not scaled",
					a.name, a.Height, a.Width, a.Channels, height, width, want.Channels)
			}
			for n := range a.Videos {
				all = append(all, video{a, n})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("data.path: %w", err)
	}
	return all, nil
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.videos) }

// Name is the path of video i's file below the data set's folder, with the name of the array in an
// .npz file, and with the number of the video where an array has several.
func (d *Dataset) Name(i int) string { return d.videos[i].name() }

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.videos[i].Frames.Frames }

// Clip reads frames of a video, and nothing else of its file; see [clips.Dataset].
func (d *Dataset) Clip(i, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, i, start, frames); err != nil {
		return clips.Clip{}, err
	}
	v := d.videos[i]
	file, size, err := regular.Open(v.path)
	if err != nil {
		return clips.Clip{}, err
	}
	defer file.Close()
	if size != v.size {
		return clips.Clip{}, fmt.Errorf("%s: %d bytes, it had %d when it was opened: start again", v.path, size, v.size)
	}
	clip := clips.NewClip(frames, v.Height, v.Width, v.Channels)
	return clip, v.Read(file, v.number, start, clip)
}
