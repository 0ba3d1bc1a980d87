// Package ucf101 is UCF-101 (Soomro, Zamir and Shah 2012) as its owners distribute it: AVI files of
// 101 human actions, and lists that divide them.
package ucf101

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"

	"mcvd/configs"
	"mcvd/configs/regular"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/resize"
	"mcvd/data/video"
)

// Options are the settings under data.options.
type Options struct {
	Fold      int     `yaml:"fold" range:"[1, 3]" doc:"Which of the owners' three divisions into training and test is used; the published experiments use 3."`
	TestEvery int     `yaml:"test_every" range:"[1, 1000]" doc:"The test has every n-th video of its list; 10 as published."`
	Cache     string  `yaml:"cache" doc:"The folder for decoded frames; empty for .mcvd-cache in data.path."`
	Valid     float64 `yaml:"valid" range:"[0.001, 0.5]" doc:"The fraction of the training videos for validation; at least one."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Fold: 3, TestEvery: 10, Valid: 0.05} }

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	err := c.Data.Options.Decode("data.options", &o)
	var p configs.Problems
	p.Check(c.Data.Channels == 3, "data.channels", c.Data.Channels, "3, as UCF-101 is in colour", "data.name")
	return o, errors.Join(err, p.Err())
}

// Decode is how a video that is not in the data set becomes like those that are: the square in the
// middle, scaled as PIL does it.
func Decode(c *configs.Config) (video.DecodeOptions, error) {
	return video.DecodeOptions{Size: c.Data.Size, Channels: c.Data.Channels, Crop: video.Center, Filter: resize.Lanczos}, nil
}

// Dataset crops frames that are stored 4/3 times as wide as they are high.
type Dataset struct {
	wide *decoded.Dataset // not embedded: its Frame and Read are of wide frames
	crop clips.WideCrop
}

// Len is the number of videos.
func (d *Dataset) Len() int { return d.wide.Len() }

// Name is the path of video i below the folder of videos.
func (d *Dataset) Name(i int) string { return d.wide.Name(i) }

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.wide.Frames(i) }

// FPS is the frame rate of video i in frames a second.
func (d *Dataset) FPS(i int) float64 { return d.wide.FPS(i) }

// Classes and Labels are the actions; see [clips.Labelled].
func (d *Dataset) Classes() []string     { return d.wide.Classes() }
func (d *Dataset) Labels(i int) []string { return d.wide.Labels(i) }

// Clip reads frames of a video; see [clips.Dataset]. In training, the place of the crop depends on the
// video and on the first frame.
func (d *Dataset) Clip(video, start, frames int) (clips.Clip, error) {
	wide, err := d.wide.Clip(video, start, frames)
	if err != nil {
		return clips.Clip{}, err
	}
	return d.crop.Cut(wide, video, start), nil
}

// Open decodes the videos of a split, in the order of its list; see [decoded.Open].
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	names, err := o.list(c.Data.Path, split)
	if err != nil {
		return nil, err
	}
	d := &Dataset{crop: clips.WideCrop{Size: c.Data.Size, Random: split == clips.Train}}
	set := decoded.Set{Root: c.Data.Path, Split: split, Cache: o.Cache, Fail: c.Data.OnError == "fail",
		Decode: video.DecodeOptions{Size: c.Data.Size, Width: d.crop.Width(), Channels: c.Data.Channels, Crop: video.Squeeze, Filter: resize.Lanczos}}
	set.Sources, set.Problems = decoded.Listed(decoded.Below(c.Data.Path, "UCF-101"), names)
	for i := range set.Sources {
		set.Sources[i].Class = path.Dir(set.Sources[i].Name) // the action
	}
	d.wide, err = decoded.Open(ctx, set, frames, log)
	return d, err
}

// FPS is how many frames a second the first of a few videos has that says it, 0 if none does.
func FPS(ctx context.Context, c *configs.Config) float64 {
	o, err := readOptions(c)
	if err != nil {
		return 0
	}
	names, err := o.list(c.Data.Path, clips.Train)
	if err != nil {
		return 0
	}
	sources, _ := decoded.Listed(decoded.Below(c.Data.Path, "UCF-101"), names[:min(len(names), 20)])
	return decoded.FPS(ctx, sources, video.DecodeOptions{})
}

// list is the names of a split's videos, such as Archery/v_Archery_g01_c01.avi.
func (o Options) list(root string, split clips.Split) ([]string, error) {
	if split != clips.Test {
		all, err := o.read(root, "trainlist")
		return clips.Part(all, split, o.Valid), err
	}
	all, err := o.read(root, "testlist")
	var out []string
	for k := range len(all) / o.TestEvery {
		out = append(out, all[k*o.TestEvery])
	}
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("data.options.test_every: %d, but the test's list has %d videos", o.TestEvery, len(all))
	}
	return out, err
}

// maxList is the most bytes of a list. The owners' have 500 kB.
const maxList = 8 << 20

// read reads one of the owners' lists. A line is a video's name, and in lists for training the number
// of its class.
func (o Options) read(root, kind string) ([]string, error) {
	path := filepath.Join(decoded.Below(root, "ucfTrainTestlist"), fmt.Sprintf("%s%02d.txt", kind, o.Fold))
	file, err := regular.OpenUpTo(path, maxList)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: want the owners' lists of training and test videos in data.path or its folder ucfTrainTestlist", err)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	names, err := parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return names, nil
}

func parse(r io.Reader) ([]string, error) {
	var names []string
	seen := map[string]int{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		name, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if name == "" {
			continue
		}
		if !filepath.IsLocal(name) || !strings.Contains(name, "/") {
			return nil, fmt.Errorf("line %d: %q, want a name such as Archery/v_Archery_g01_c01.avi", n, name)
		}
		if before := seen[name]; before > 0 {
			return nil, fmt.Errorf("line %d: %s stands in line %d, too", n, name, before)
		}
		seen[name] = n
		names = append(names, name)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no videos in it")
	}
	return names, nil
}
