// Package lerobot is a data set of robot recordings in LeRobot's format v3: videos of many episodes in
// MP4 files, and an index in Parquet files. Package decoded decodes the videos.
package lerobot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/video"
)

// Options are the settings under data.options.
type Options struct {
	Camera string  `yaml:"camera" doc:"The key of the camera, such as observation.images.top; may be empty if the recording has only one."`
	Crop   string  `yaml:"crop" choices:"center whole squeeze" doc:"How frames get their proportions: center cuts out the middle, whole adds black bars, squeeze stretches them."`
	Cache  string  `yaml:"cache" doc:"The folder for decoded frames; empty for .mcvd-cache in data.path."`
	Valid  float64 `yaml:"valid" range:"[0, 1]" doc:"The fraction of training's episodes for validation, where the recording has no such split."`
	Test   float64 `yaml:"test" range:"[0, 1]" doc:"The fraction of training's episodes for the test, where the recording has no such split."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Crop: string(video.Center), Valid: 0.1, Test: 0.1} }

// Open finds the episodes of a split in the recording at c.Data.Path and decodes their videos; see
// [decoded.Open]. The splits are those of meta/info.json. If it has no validation or no test, a hash
// of the episodes' names takes them from training. It fails at other versions than 3, at a camera
// that is not there or not chosen, and at an index that is damaged or incomplete.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*decoded.Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	root := c.Data.Path
	in, err := readInfo(root)
	if err != nil {
		return nil, err
	}
	camera, err := in.camera(o.Camera)
	if err != nil {
		return nil, err
	}
	all, err := readEpisodes(root, camera, in) // as many as info.json says, or it fails
	if err != nil {
		return nil, err
	}
	chosen, err := in.episodes(split, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	set := decoded.Set{Root: root, Split: split, Cache: o.Cache, Decode: o.decode(c), Fail: c.Data.OnError == "fail"}
	if err := in.addSources(&set, camera, all, chosen); err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	ds, err := decoded.Open(ctx, set, frames, log)
	if err != nil {
		return nil, err
	}
	for i := range ds.Len() {
		if fps := ds.FPS(i); c.Data.FPS == 0 && !(fps > 0.99*in.FPS && fps < 1.01*in.FPS) {
			return nil, fmt.Errorf("%s: %s: %g frames a second, want the %g of meta/info.json: its episodes can't be told apart", root, ds.Name(i), fps, in.FPS)
		}
	}
	return ds, nil
}

// name is an episode's name.
func name(episode int) string { return fmt.Sprintf("episode_%06d", episode) }

// episodes are the numbers of a split's episodes.
func (in info) episodes(split clips.Split, o Options) ([]int, error) {
	spans, err := in.spans()
	if err != nil {
		return nil, err
	}
	shares := clips.Shares{Valid: o.Valid, Test: o.Test}
	for own, share := range map[clips.Split]*float64{clips.Valid: &shares.Valid, clips.Test: &shares.Test} {
		if _, ok := spans[own]; !ok {
			continue
		}
		if *share != DefaultOptions().Valid {
			return nil, fmt.Errorf("data.options.%s: %g has no effect because meta/info.json has a split for it", own, *share)
		}
		*share = 0
	}
	if s, ok := spans[split]; ok && split != clips.Train {
		return s.numbers(), nil
	}
	training := spans[clips.Train].numbers()
	var names []string
	for _, n := range training {
		names = append(names, name(n))
	}
	splits := shares.All(names)
	return slices.DeleteFunc(training, func(n int) bool { return splits[name(n)] != split }), nil
}

func (s span) numbers() (out []int) {
	for n := s.from; n < s.to; n++ {
		out = append(out, n)
	}
	return out
}

// addSources adds the files of the chosen episodes, each with a part for each of these. Files come in
// the order of their first episodes.
func (in info) addSources(set *decoded.Set, camera string, all []episode, chosen []int) error {
	if len(chosen) == 0 {
		return fmt.Errorf("split %s is empty: of %d episodes none fell into it; change data.options.valid and test", set.Split, len(all))
	}
	rate := set.Decode.FPS
	if rate == 0 {
		rate = in.FPS
	}
	at := map[string]int{} // in the list of sources, or -1 for a problem
	for _, n := range chosen {
		e := all[n]
		path, err := in.video(camera, e.chunk, e.file)
		if err != nil {
			return err
		}
		s, err := e.span(in.FPS, rate)
		if err != nil {
			set.Problems = append(set.Problems, decoded.Problem{Name: name(n), Err: err})
			continue
		}
		k, seen := at[path]
		if !seen {
			source, err := decoded.Film(path, filepath.Join(set.Root, filepath.FromSlash(path)))
			if k = len(set.Sources); err != nil {
				set.Problems, k = append(set.Problems, decoded.Problem{Name: path, Err: err}), -1
			} else {
				source.Exact = true
				set.Sources = append(set.Sources, source)
			}
			at[path] = k
		}
		if k >= 0 {
			set.Sources[k].Parts = append(set.Sources[k].Parts, decoded.Part{Name: name(n), From: s.from, To: s.to})
		}
	}
	return noneTwice(set.Sources)
}

// noneTwice reports frames of a file that belong to two episodes.
func noneTwice(sources []decoded.Source) error {
	for _, s := range sources {
		parts := slices.SortedFunc(slices.Values(s.Parts), func(a, b decoded.Part) int { return cmp.Compare(a.From, b.From) })
		for i := 1; i < len(parts); i++ {
			if last, next := parts[i-1], parts[i]; next.From < last.To {
				return fmt.Errorf("meta/episodes: %s and %s both have frame %d of %s", last.Name, next.Name, next.From, s.Name)
			}
		}
	}
	return nil
}

// FPS is how many frames a second the videos have: c.Data.FPS or those of the recording. It is 0 if
// there is none.
func FPS(_ context.Context, c *configs.Config) float64 {
	if c.Data.FPS > 0 {
		return c.Data.FPS
	}
	in, err := readInfo(c.Data.Path)
	if err != nil {
		return 0
	}
	return in.FPS
}

// Decode says how videos become frames.
func Decode(c *configs.Config) (video.DecodeOptions, error) {
	o, err := readOptions(c)
	return o.decode(c), err
}

func (o Options) decode(c *configs.Config) video.DecodeOptions {
	return video.DecodeOptions{FPS: c.Data.FPS, Size: c.Data.Size, Width: c.Data.Width, Channels: c.Data.Channels, Crop: video.Crop(o.Crop)}
}

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	err := c.Data.Options.Decode("data.options", &o)
	if err == nil && o.Valid+o.Test > 1 {
		err = configs.Problem{Path: "data.options.valid", Text: fmt.Sprintf("%g, and test %g: want at most 1 together", o.Valid, o.Test), Also: []string{"data.options.test"}}
	}
	return o, err
}
