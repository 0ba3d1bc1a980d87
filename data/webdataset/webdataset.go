// Package webdataset is a data set of videos in tar shards, as the Python library webdataset reads
// and writes them.
package webdataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mcvd/configs"
	"mcvd/configs/regular"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/video"
)

// Help says what the data set is, and how its files must lie.
const Help = `Tar shards: as the Python library webdataset writes them. Files that lie behind each other and have the same
name up to the first dot are a sample. Its video is one of these:
  clip7.000.png clip7.001.png ...   frames, PNG or JPEG, in the order of their numbers
  clip7.mp4                         a video file that ffmpeg reads (avi, gif, mkv, mov, mp4, webm)
  clip7.npy                         an array of bytes (numpy.uint8), [frames, height, width, channels] or
                                    [frames, height, width]
Images and video files are cropped and scaled; arrays must have the size that data.size and data.channels say. Other
files of a sample, such as clip7.json, are passed over. Video files are decoded once, into a cache of small frames.

Where from:  tars that the library wrote, or mcvd data export --format webdataset
Licence:     that of the videos

Layout of data.path:
  train/000000.tar  train/000001.tar ...
  valid/000000.tar
  test/000000.tar

Splits:      by these folders; without them, or with a pattern such as clips-{000000..000012}.tar in data.options.shards,
             a hash of a sample's name decides

  data: {name: webdataset, path: clips, size: 64, channels: 3}
`

// Options are the settings under data.options.
type Options struct {
	Shards string  `yaml:"shards" doc:"The shards below data.path, with ranges in braces, such as clips-{000000..000012}.tar; empty for all that are there."`
	Cache  string  `yaml:"cache" doc:"The folder for decoded frames of video files; empty for .mcvd-cache in data.path."`
	Crop   string  `yaml:"crop" choices:"center whole squeeze" doc:"How images and video files get their proportions: center cuts out the middle, whole adds black bars, squeeze stretches them."`
	Valid  float64 `yaml:"valid" range:"[0, 1]" doc:"The fraction of samples for validation, where data.path has no folders train, valid and test."`
	Test   float64 `yaml:"test" range:"[0, 1]" doc:"The fraction of samples for the test, where data.path has no folders train, valid and test."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Crop: string(video.Center), Valid: 0.1, Test: 0.1} }

// Dataset is the videos of one split, shard by shard in the order of their names. It is safe for use
// by several goroutines. Shards are opened for each clip.
type Dataset struct {
	samples []*sample
	decode  video.DecodeOptions
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
	if err == nil {
		_, err = expand(o.Shards)
	}
	return o, err
}

// Decode says how videos become frames.
func Decode(c *configs.Config) (video.DecodeOptions, error) {
	o, err := readOptions(c)
	return video.DecodeOptions{Size: c.Data.Size, Width: c.Data.Width, Channels: c.Data.Channels, Crop: video.Crop(o.Crop)}, err
}

// Open finds the samples of a split in the *.tar below c.Data.Path, at any depth, by the heads of
// the files in them. Videos with fewer than frames frames, and samples without a video, are left
// out, with a line in log. Video files are decoded; see [decoded.Open]. It fails at shards that are
// broken, compressed or missing, at arrays of another size, and if no video is left.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (clips.Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	root := c.Data.Path
	shards, folders, err := o.shards(root, split)
	if err != nil {
		return nil, err
	}
	if standard := DefaultOptions(); folders && (o.Valid != standard.Valid || o.Test != standard.Test) {
		return nil, fmt.Errorf("data.options.valid and data.options.test have no effect because %s has folders for its splits", root)
	}
	all, err := list(ctx, c, shards)
	if err != nil {
		return nil, fmt.Errorf("data.path: %w", err)
	}
	films, err := hasFilms(all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	hasImages := slices.ContainsFunc(all, func(s *sample) bool { return s.array == nil })
	if o.Crop != DefaultOptions().Crop && len(all) > 0 && !hasImages {
		log.Warn("data.options.crop has no effect: all samples are arrays, which are not cropped", "split", split, "crop", o.Crop)
	}
	if !folders {
		all = divide(all, split, clips.Shares{Valid: o.Valid, Test: o.Test})
	}
	decode, err := Decode(c)
	if err != nil {
		return nil, err
	}
	if films {
		set := decoded.Set{Root: root, Split: split, Cache: o.Cache, Decode: decode, Fail: c.Data.OnError == "fail"}
		return some(openFilms(ctx, set, all, frames, log))
	}
	d := &Dataset{decode: decode}
	longest, without := 0, 0
	for _, s := range all {
		longest = max(longest, s.length())
		if s.length() == 0 {
			without++
		} else if s.length() >= frames {
			d.samples = append(d.samples, s)
		}
	}
	if len(d.samples) == 0 {
		return nil, fmt.Errorf("%s: split %s: no usable video: %d samples in *.tar, %d of them without frames, the longest of %d frames, want at least %d",
			root, split, len(all), without, longest, frames)
	}
	if left := len(all) - len(d.samples); left > 0 {
		log.Warn("samples without frames, or with too few, are left out", "split", split, "without", without, "too_short", left-without, "frames_wanted", frames)
	}
	log.Info("videos are ready", "split", split, "videos", len(d.samples), "left_out", len(all)-len(d.samples))
	return d, nil
}

// shards are those that a split has some samples in: those in its folder or, without folders or with
// a pattern, those of all splits.
func (o Options) shards(root string, split clips.Split) (shards []string, folders bool, err error) {
	if o.Shards != "" {
		shards, err = expand(o.Shards)
		return shards, false, err
	}
	below, folders := clips.Folder(root, split)
	if shards, err = find(root, below); err != nil {
		return nil, false, fmt.Errorf("data.path: %w", err)
	}
	return shards, folders, nil
}

// divide keeps the samples of a split.
func divide(all []*sample, split clips.Split, shares clips.Shares) (out []*sample) {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	splits := shares.All(names)
	for _, s := range all {
		if splits[s.name] == split {
			out = append(out, s)
		}
	}
	return out
}

// some prevents a nil pointer from becoming an interface that isn't nil.
func some(d *decoded.Dataset, err error) (clips.Dataset, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

// list lists the samples of shards, which are named below data.path.
func list(ctx context.Context, c *configs.Config, shards []string) (all []*sample, err error) {
	height, width := c.Data.Frame()
	channels := c.Data.Channels
	for _, name := range shards {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		file := filepath.Join(c.Data.Path, filepath.FromSlash(name))
		if slices.ContainsFunc(compressed, func(extension string) bool { return strings.HasSuffix(strings.ToLower(name), extension) }) {
			return nil, fmt.Errorf("%s: a compressed shard, of which no part can be read alone: unpack it to a .tar", file)
		}
		samples, err := open(file, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: not there, but data.options.shards names it", file)
		}
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			if a := s.array; a != nil && (a.Height != height || a.Width != width || a.Channels != channels) {
				return nil, fmt.Errorf("%s: sample %s: frames of %dx%dx%d, want %dx%dx%d, by data.size and data.channels: arrays are not scaled",
					file, s.name, a.Height, a.Width, a.Channels, height, width, channels)
			}
		}
		all = append(all, samples...)
	}
	return all, nil
}

// compressed are the extensions of shards that can't be read.
var compressed = []string{".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz"}

// find lists the shards below a folder of root. Hidden files and folders are left out.
func find(root, below string) (shards []string, err error) {
	err = regular.Walk(filepath.Join(root, below), func(name string) error {
		if slices.ContainsFunc(append(compressed, ".tar"), func(extension string) bool { return strings.HasSuffix(strings.ToLower(name), extension) }) {
			shards = append(shards, path.Join(below, name))
		}
		return nil
	})
	return shards, err
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.samples) }

// Name is the path of video i's shard below the data set's folder, and the sample's key.
func (d *Dataset) Name(i int) string { return d.samples[i].name }

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.samples[i].length() }

// Clip reads frames of a video, and nothing else of its shard; see [clips.Dataset].
func (d *Dataset) Clip(i, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, i, start, frames); err != nil {
		return clips.Clip{}, err
	}
	s := d.samples[i]
	file, size, err := regular.Open(s.path)
	if err != nil {
		return clips.Clip{}, err
	}
	defer file.Close()
	if size != s.size {
		return clips.Clip{}, fmt.Errorf("%s: %d bytes, it had %d when it was opened: start again", s.path, size, s.size)
	}
	clip := clips.NewClip(frames, d.decode.Size, cmp.Or(d.decode.Width, d.decode.Size), d.decode.Channels)
	return clip, s.read(file, start, clip, d.decode)
}
