// Package kinetics is a data set of videos that a CSV file lists, as those of Kinetics (Kay et al.
// 2017): clips of YouTube's videos, named by the video and by the seconds that were cut out.
package kinetics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/video"
)

// Options are the settings under data.options.
type Options struct {
	CSV    string  `yaml:"csv" doc:"The list of all videos, below data.path; empty for a list for each split: train.csv, val.csv (or validate.csv) and test.csv."`
	Crop   string  `yaml:"crop" choices:"center whole squeeze" doc:"How frames get their proportions: center cuts out the middle, whole adds black bars, squeeze stretches them."`
	Cache  string  `yaml:"cache" doc:"The folder for decoded frames; empty for .mcvd-cache in data.path."`
	Scenes float64 `yaml:"scenes" range:"[0, 100]" doc:"Divides videos at cuts into scenes, so that no clip crosses one. A cut is a frame that differs from the one before it by this much more than that one did from its own, in percent of the range of values: about 10 for films, 0 for no division."`
	Valid  float64 `yaml:"valid" range:"[0, 1]" doc:"The fraction of videos for validation, where data.options.csv names a list that doesn't divide them."`
	Test   float64 `yaml:"test" range:"[0, 1]" doc:"The fraction of videos for the test, where data.options.csv names a list that doesn't divide them."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Crop: string(video.Center), Valid: 0.1, Test: 0.1} }

// spellings are the names of the splits in lists and folders.
var spellings = map[clips.Split][]string{
	clips.Train: {"train"},
	clips.Valid: {"val", "validate", "valid", "validation"},
	clips.Test:  {"test"},
}

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	err := c.Data.Options.Decode("data.options", &o)
	if err == nil && o.CSV == "" && o.shares() {
		err = errors.New("data.options: valid and test have no effect without csv, because each split has a list of its own")
	}
	if err == nil && !(o.Valid+o.Test <= 1) {
		err = fmt.Errorf("data.options: valid: %g, test: %g, want together up to 1", o.Valid, o.Test)
	}
	return o, err
}

// shares says whether somebody asked for other shares of validation and test than the usual ones.
func (o Options) shares() bool {
	usual := DefaultOptions()
	return o.Valid != usual.Valid || o.Test != usual.Test
}

// Decode says how videos become frames.
func Decode(c *configs.Config) (video.DecodeOptions, error) {
	o, err := readOptions(c)
	return video.DecodeOptions{FPS: c.Data.FPS, Size: c.Data.Size, Width: c.Data.Width, Channels: c.Data.Channels, Crop: video.Crop(o.Crop)}, err
}

// Open decodes the videos of a split, in the order of the list; see [decoded.Open].
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*decoded.Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	decode, err := Decode(c)
	if err != nil {
		return nil, err
	}
	rows, err := o.rows(c.Data.Path, split)
	if err != nil {
		return nil, err
	}
	set := decoded.Set{Root: c.Data.Path, Split: split, Cache: o.Cache, Decode: decode, Fail: c.Data.OnError == "fail", Scenes: o.Scenes}
	names, labels := locate(c.Data.Path, split, rows), map[string]string{}
	for i, name := range names {
		labels[name] = rows[i].label
	}
	set.Sources, set.Problems = decoded.Listed(c.Data.Path, names)
	for i := range set.Sources {
		set.Sources[i].Class = labels[set.Sources[i].Name]
	}
	return decoded.Open(ctx, set, frames, log)
}

// rows are those of a split.
func (o Options) rows(root string, split clips.Split) ([]row, error) {
	if o.CSV == "" {
		return o.ownList(root, split)
	}
	l, err := readList(filepath.Join(root, o.CSV))
	if err != nil {
		return nil, err
	}
	if l.divided && o.shares() {
		return nil, fmt.Errorf("data.options: valid and test have no effect, because %s has a column split: remove them", filepath.Join(root, o.CSV))
	}
	var names []string
	for _, r := range l.rows {
		names = append(names, r.path)
	}
	shares := clips.Shares{Valid: o.Valid, Test: o.Test}.All(names)
	var out []row
	for i, r := range l.rows {
		if l.divided && is(split, r.split) || !l.divided && shares[names[i]] == split {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: split %s is empty: none of %d videos is in it", filepath.Join(root, o.CSV), split, len(l.rows))
	}
	return out, nil
}

// ownList reads the list that a split has of its own.
func (o Options) ownList(root string, split clips.Split) ([]row, error) {
	for _, name := range spellings[split] {
		l, err := readList(filepath.Join(root, name+".csv"))
		if !errors.Is(err, os.ErrNotExist) {
			return l.rows, err
		}
	}
	return nil, fmt.Errorf("%s: no %s.csv in it: want the list of the videos of split %s, or data.options.csv", root,
		strings.Join(spellings[split], ".csv or "), split)
}

func is(split clips.Split, name string) bool {
	for _, s := range spellings[split] {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}

// locate finds the files of rows, in the folder itself, in one for the split and in one for the label
// there. They are named as they lie below root. A file that is nowhere keeps the name that the list
// gives it.
func locate(root string, split clips.Split, rows []row) []string {
	folders := append([]string{"."}, spellings[split]...)
	last, names := 0, make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.path
		for k := range 3 * len(folders) {
			at := (last + k) % (3 * len(folders)) // the last one's place first: most lie alike
			label := [3]string{"", r.label, strings.ReplaceAll(r.label, " ", "_")}[at%3]
			name := path.Join(folders[at/3], label, r.path)
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err == nil && filepath.IsLocal(name) {
				names[i], last = name, at
				break
			}
		}
	}
	return names
}

// FPS is how many frames a second clips for training have: c.Data.FPS, or those of the first of a few
// videos that says it; 0 if none does.
func FPS(ctx context.Context, c *configs.Config) float64 {
	o, err := readOptions(c)
	if err != nil {
		return 0
	}
	decode, err := Decode(c)
	if err != nil {
		return 0
	}
	rows, err := o.rows(c.Data.Path, clips.Train)
	if err != nil {
		return 0
	}
	sources, _ := decoded.Listed(c.Data.Path, locate(c.Data.Path, clips.Train, rows[:min(len(rows), 20)]))
	return decoded.FPS(ctx, sources, decode)
}
