// Package shards is a data set of the HDF5 shards that the published code of MCVD (Voleti et al.
// 2022) trains on: BAIR robot pushing, KTH, Cityscapes and UCF-101, as its converters write them.
//
// A shard holds a group for each video, named by its number, with a frame for each number in it,
// and the number of frames of each video in the group "len". Frames have the size that the model
// sees; only UCF-101's are wider, and are cropped.
package shards

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"mcvd/configs"
	"mcvd/data/clips"
)

// Options are the settings under data.options.
type Options struct {
	Layout string  `yaml:"layout" choices:"bair kth cityscapes ucf101" doc:"Which published data set the shards hold: it decides about files, splits and crops."`
	Valid  float64 `yaml:"valid" range:"[0.001, 0.5]" doc:"The fraction of the training videos, or of KTH's training persons, for validation; at least one."`
}

// DefaultOptions is what missing options mean. KTH has the one channel that is data.channels by default.
func DefaultOptions() Options { return Options{Layout: "kth", Valid: 0.05} }

// layout is what is particular to a published data set.
type layout struct {
	list     func(root string, split clips.Split, valid float64) ([]*shard, []video, error)
	channels int
	wide     bool // frames are stored 4/3 times as wide as they are high, and cropped
}

// layouts is what data.options.layout can be.
var layouts = map[string]layout{
	"bair":       {inFolders, 3, false},
	"cityscapes": {inFolders, 3, false},
	"kth":        {byPerson, 1, false},
	"ucf101":     {byCount, 3, true},
}

// Dataset is the videos of one split in the order of the published code. It is safe for use by
// several goroutines. It keeps its shards open until the program ends.
type Dataset struct {
	videos []video
	layout layout
	size   int
	random bool // crops are drawn, as in training
}

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
	l, err := configs.Pick(layouts, "data.options.layout", o.Layout)
	if err == nil && c.Data.Channels != l.channels {
		err = configs.Problem{Path: "data.channels", Text: fmt.Sprintf("%d, want %d, which frames of layout %s have", c.Data.Channels, l.channels, o.Layout),
			Also: []string{"data.options.layout"}}
	}
	return o, err
}

// Open opens the shards of a split below c.Data.Path. Videos with fewer than frames frames are left
// out, with a line in log. It fails at files that are missing or broken, if frames are not of
// c.Data.Size, and if no video is left.
func Open(_ context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	d := &Dataset{layout: layouts[o.Layout], size: c.Data.Size, random: split == clips.Train}
	opened, all, err := d.layout.list(c.Data.Path, split, o.Valid)
	if err == nil {
		d.videos, err = clips.LongEnough(all, func(v video) int { return v.frames }, frames, c.Data.Path, split, log)
	} else {
		err = fmt.Errorf("%s: split %s: %w", c.Data.Path, split, err)
	}
	if err == nil { // a frame of the first says whether they have the right size
		if _, err = d.Clip(0, 0, 1); err != nil {
			err = fmt.Errorf("%s: %w", d.Name(0), err)
		}
	}
	if err != nil {
		closeAll(opened)
		return nil, err
	}
	return d, nil
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.videos) }

// Name is the path of video i's shard below the data set's folder, and its number in the shard.
func (d *Dataset) Name(i int) string {
	return d.videos[i].shard.name + ":" + strconv.Itoa(d.videos[i].number)
}

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.videos[i].frames }

// Person is KTH's person in video i, 0 in other layouts; see [clips.Person].
func (d *Dataset) Person(i int) int { return d.videos[i].person }

// Clip reads frames of a video; see [clips.Dataset].
func (d *Dataset) Clip(i, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, i, start, frames); err != nil {
		return clips.Clip{}, err
	}
	if !d.layout.wide {
		clip := clips.NewClip(frames, d.size, d.size, d.layout.channels)
		return clip, d.videos[i].read(start, clip)
	}
	crop := clips.WideCrop{Size: d.size, Random: d.random}
	stored := clips.NewClip(frames, d.size, crop.Width(), d.layout.channels)
	if err := d.videos[i].read(start, stored); err != nil {
		return clips.Clip{}, err
	}
	return crop.Cut(stored, i, start), nil
}
