// Package data opens data sets by name and makes batches of their clips, in an order that can be
// resumed anywhere.
package data

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"mcvd/configs"
	"mcvd/data/arrays"
	"mcvd/data/bair"
	"mcvd/data/cityscapes"
	"mcvd/data/clips"
	"mcvd/data/converted"
	"mcvd/data/digits"
	"mcvd/data/folder"
	"mcvd/data/kinetics"
	"mcvd/data/kth"
	"mcvd/data/lerobot"
	"mcvd/data/points"
	"mcvd/data/shards"
	"mcvd/data/smmnist"
	"mcvd/data/ucf101"
	"mcvd/data/video"
	"mcvd/data/webdataset"
)

// set is a data set: how it is opened, how its options are checked without opening it, its options
// with their defaults, which of the [optional] settings it uses, how fast its videos are, as far as
// that can be told without opening it (nil if they have no frame rate), how videos of one's own are
// decoded like its own (nil for the square in the middle), and what a user must know to get it.
type set struct {
	open    open
	check   func(c *configs.Config) error
	options any
	uses    []string // some of [optional]
	fps     func(ctx context.Context, c *configs.Config) float64
	decode  func(c *configs.Config) (video.DecodeOptions, error)
	help    string
}

// open is [Open] for one data set.
type open func(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error)

// sets is what data.name can be. A new data set is one package and one line.
var sets = map[string]set{
	"arrays":     {opened(arrays.Open), arrays.Check, arrays.DefaultOptions(), inFiles, nil, nil, arrays.Help},
	"bair":       {opened(bair.Open), bair.Check, bair.DefaultOptions(), inFiles, nil, nil, bair.Help},
	"cityscapes": {opened(cityscapes.Open), cityscapes.Check, cityscapes.DefaultOptions(), optional, cityscapes.FPS, cityscapes.Decode, cityscapes.Help},
	"digits":     {openDigits, digits.Check, digits.DefaultOptions(), nil, nil, nil, digits.Help},
	"folder":     {opened(folder.Open), folder.Check, folder.DefaultOptions(), optional, folder.FPS, folder.DecodeOptions, folder.Help},
	"kinetics":   {opened(kinetics.Open), kinetics.Check, kinetics.DefaultOptions(), optional, kinetics.FPS, kinetics.Decode, kinetics.Help},
	"kth":        {opened(kth.Open), kth.Check, kth.DefaultOptions(), inFiles, kth.FPS, kth.Decode, kth.Help},
	"lerobot":    {opened(lerobot.Open), lerobot.Check, lerobot.DefaultOptions(), optional, lerobot.FPS, lerobot.Decode, lerobot.Help},
	"points":     {openPoints, points.Check, points.DefaultOptions(), nil, nil, nil, points.Help},
	"shards":     {opened(shards.Open), shards.Check, shards.DefaultOptions(), inFiles, nil, nil, shards.Help},
	"smmnist":    {opened(smmnist.Open), smmnist.Check, smmnist.DefaultOptions(), []string{"data.path"}, nil, nil, smmnist.Help},
	"store":      {opened(converted.Open), converted.Check, converted.DefaultOptions(), inFiles, converted.FPS, nil, converted.Help},
	"ucf101":     {opened(ucf101.Open), ucf101.Check, ucf101.DefaultOptions(), inFiles, ucf101.FPS, ucf101.Decode, ucf101.Help},
	"webdataset": {opened(webdataset.Open), webdataset.Check, webdataset.DefaultOptions(), inFiles, nil, webdataset.Decode, webdataset.Help},
}

// optional are the settings that not all data sets use. They have no effect with a data set that
// doesn't use them.
var optional = []string{"data.path", "data.fps", "data.on_error"}

// inFiles are those of [optional] that data sets use whose frames are in files, at the rate that they
// have.
var inFiles = []string{"data.path", "data.on_error"}

// oblong are the data sets whose frames need not be square.
var oblong = []string{"arrays", "cityscapes", "folder", "kinetics", "lerobot", "store", "webdataset"}

// opened is a data set's own function as an [open].
func opened[D clips.Dataset](own func(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (D, error)) open {
	return func(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error) {
		return some(own(ctx, c, split, frames, log))
	}
}

func openDigits(_ context.Context, c *configs.Config, split clips.Split, _ int, _ *slog.Logger) (clips.Dataset, error) {
	return some(digits.New(c, split))
}

func openPoints(_ context.Context, c *configs.Config, split clips.Split, _ int, _ *slog.Logger) (clips.Dataset, error) {
	return some(points.New(c, split))
}

// Names lists the data sets.
func Names() []string { return configs.Names(sets) }

// Help says what a data set is, where its files come from, their licence, layout and splits, and how an
// experiment names it. The first line is a summary.
func Help(name string) (string, error) {
	s, err := configs.Pick(sets, "data.name", name)
	return s.help, err
}

// Tables are what there is to choose from in data, with the options.
func Tables() []configs.Table {
	t := configs.Table{Choice: "data.name", Section: "data.options", Options: map[string]any{}, Ignores: map[string]configs.Ignored{}}
	for name, set := range sets {
		unused := slices.DeleteFunc(slices.Clone(optional), func(path string) bool { return slices.Contains(set.uses, path) })
		t.Options[name] = set.options
		t.Ignores[name] = configs.Ignored{Reason: "data.name is " + name, Paths: unused}
	}
	return []configs.Table{t, configs.TableOf(timesPath, "data.options", timings)}
}

// Open opens a split of the data set that c.Data names. Videos in which a clip of frames frames does
// not fit are left out. log gets what is done on the way, such as decoding, and what is left out. Open fails at
// an unknown name, at options that the data set doesn't have, and if there is no usable video.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error) {
	set, err := pick(c)
	if err != nil {
		return nil, err
	}
	stride := max(c.Data.Stride, 1)
	ds, err := set.open(ctx, c, split, (frames-1)*stride+1, log)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", c.Data.Name, err)
	}
	if stride > 1 {
		return strided{ds, stride}, nil
	}
	return ds, nil
}

// Path is the folder of the data set, "" if it has none.
func Path(c *configs.Config) string {
	if s, err := configs.Pick(sets, "data.name", c.Data.Name); err == nil && slices.Contains(s.uses, "data.path") {
		return c.Data.Path
	}
	return ""
}

// FPS is how many frames a second the videos of the data set have that a model learned from, 0 if that
// is unknown. Nothing is decoded, and it is no error if the data set is not there.
func FPS(ctx context.Context, c *configs.Config) float64 {
	if set, err := pick(c); err == nil && set.fps != nil {
		return set.fps(ctx, c) / float64(max(c.Data.Stride, 1))
	}
	return 0
}

// Check reports an unknown name, options that the data set doesn't have, and times that clips can't
// have, without touching its files.
func Check(c *configs.Config) error {
	set, err := pick(c)
	if err != nil {
		return err
	}
	var p configs.Problems
	p.Check(c.Data.Width == 0 || slices.Contains(oblong, c.Data.Name), "data.size", c.Data.Sides(),
		fmt.Sprintf("one number, because frames of %s are square", c.Data.Name), "data.name")
	return errors.Join(set.check(c), p.Err(), checkTimes(c.Frames))
}

// pick finds the data set. If it uses a path, there must be one.
func pick(c *configs.Config) (set, error) {
	s, err := configs.Pick(sets, "data.name", c.Data.Name)
	if err != nil {
		return s, err
	}
	if slices.Contains(s.uses, "data.path") && c.Data.Path == "" {
		return s, configs.Problem{Path: "data.path", Text: `"", want the folder of data set ` + c.Data.Name, Also: []string{"data.name"}}
	}
	return s, nil
}

// some prevents a nil pointer from becoming an interface that isn't nil.
func some[D clips.Dataset](ds D, err error) (clips.Dataset, error) {
	if err != nil {
		return nil, err
	}
	return ds, nil
}
