// Package data opens data sets by name and makes batches of their clips, in an order that can be resumed anywhere.
package data

import (
	"context"
	"fmt"
	"log/slog"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/digits"
	"mcvd/data/folder"
)

// set is a data set: how it is opened, and how its settings are checked without opening it.
type set struct {
	open  func(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error)
	check func(c *configs.Config) error
}

// sets is what data.name can be. A new data set is one package and one line.
var sets = map[string]set{
	"digits": {openDigits, digits.Check},
	"folder": {openFolder, folder.Check},
}

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
// data set doesn't have, and where there is no usable video.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error) {
	set, err := configs.Pick(sets, "data.name", c.Data.Name)
	if err != nil {
		return nil, err
	}
	ds, err := set.open(ctx, c, split, frames, log)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", c.Data.Name, err)
	}
	return ds, nil
}

// Check reports an unknown name and options that the data set doesn't have, without touching its files.
func Check(c *configs.Config) error {
	set, err := configs.Pick(sets, "data.name", c.Data.Name)
	if err != nil {
		return err
	}
	return set.check(c)
}

// some keeps a nil pointer from becoming an interface that isn't nil.
func some[D clips.Dataset](ds D, err error) (clips.Dataset, error) {
	if err != nil {
		return nil, err
	}
	return ds, nil
}
