// Package data opens data sets by name and makes batches of their clips, in an order that can be resumed anywhere.
package data

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/digits"
	"mcvd/data/folder"
)

// set is a data set: how it is opened, how its options are checked without opening it, and which of the settings that
// not all data sets have it uses.
type set struct {
	open  func(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error)
	check func(c *configs.Config) error
	uses  []string // some of [optional]
}

// sets is what data.name can be. A new data set is one package and one line.
var sets = map[string]set{
	"digits": {openDigits, digits.Check, nil},
	"folder": {openFolder, folder.Check, []string{"data.path", "data.fps", "data.on_error"}},
}

// optional are the settings that not all data sets use. Those that a set doesn't use have no effect with it.
var optional = []string{"data.path", "data.fps", "data.on_error"}

func openDigits(_ context.Context, c *configs.Config, split clips.Split, _ int, _ *slog.Logger) (clips.Dataset, error) {
	return some(digits.New(c, split))
}

func openFolder(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error) {
	return some(folder.Open(ctx, c, split, frames, log))
}

// Names lists the data sets.
func Names() []string { return configs.Names(sets) }

// Options lists the data sets' options, for the reference and the schema.
func Options() configs.Table {
	d, f := digits.DefaultOptions(), folder.DefaultOptions()
	return configs.Table{Choice: "data.name", Section: "data.options", Options: map[string]any{"digits": &d, "folder": &f}}
}

// Open opens a split of the data set that c.Data names. Videos with less than frames frames are left out. What it does
// on the way, such as decoding, and what it leaves out goes to log. It fails at an unknown name, at options that the
// data set doesn't have, at settings that have no effect on it, and where there is no usable video.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error) {
	set, err := pick(c)
	if err != nil {
		return nil, err
	}
	ds, err := set.open(ctx, c, split, frames, log)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", c.Data.Name, err)
	}
	return ds, nil
}

// Check reports an unknown name, settings without effect and options that the data set doesn't have, without touching its files.
func Check(c *configs.Config) error {
	set, err := pick(c)
	if err != nil {
		return err
	}
	return set.check(c)
}

// Unused lists the settings that not all data sets use and that the one that c.Data names doesn't.
func Unused(c *configs.Config) []string {
	set, ok := sets[c.Data.Name]
	if !ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(optional), func(path string) bool { return slices.Contains(set.uses, path) })
}

// pick finds the data set and checks the settings that not all of them use: those that it doesn't must not have been
// written, and it can't do without a path if it uses one.
func pick(c *configs.Config) (set, error) {
	s, err := configs.Pick(sets, "data.name", c.Data.Name)
	if err != nil {
		return s, err
	}
	if slices.Contains(s.uses, "data.path") && c.Data.Path == "" {
		return s, fmt.Errorf("data.path: \"\", want the folder of data set %s", c.Data.Name)
	}
	return s, c.NoEffect("data.name", Unused(c)...)
}

// some keeps a nil pointer from becoming an interface that isn't nil.
func some[D clips.Dataset](ds D, err error) (clips.Dataset, error) {
	if err != nil {
		return nil, err
	}
	return ds, nil
}
