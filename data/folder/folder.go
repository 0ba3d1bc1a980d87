// Package folder is a data set of the videos in a folder: files that ffmpeg reads, and sub-folders
// of PNG or JPEG frames. Package decoded decodes them.
package folder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/video"
)

// Options are the settings under data.options.
type Options struct {
	Crop     string  `yaml:"crop" choices:"center whole squeeze" doc:"How frames get their proportions: center cuts out the middle, whole adds black bars, squeeze stretches them."`
	Cache    string  `yaml:"cache" doc:"The folder for decoded frames; empty for .mcvd-cache in data.path."`
	Valid    float64 `yaml:"valid" range:"[0, 1]" doc:"The fraction of videos for validation, where data.path has no folders train, valid and test."`
	Test     float64 `yaml:"test" range:"[0, 1]" doc:"The fraction of videos for the test, where data.path has no folders train, valid and test."`
	Scenes   float64 `yaml:"scenes" range:"[0, 100]" doc:"Divides videos at cuts into scenes, so that no clip crosses one. A cut is a frame that differs from the one before it by this much more than that one did from its own, in percent of the range of values: about 10 for films, 0 for no division."`
	ImageFPS float64 `yaml:"image_fps" range:"[0, 1000]" doc:"How many frames a second folders of images were taken at; 0 for unknown. Such folders need it if data.fps is set."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Crop: string(video.Center), Valid: 0.1, Test: 0.1} }

// Open finds the videos of a split and decodes them; see [decoded.Open]. The videos are those in the
// sub-folder train, valid or test of c.Data.Path, at any depth. If there is no such sub-folder, a hash
// of a video's name decides, so that a video stays in its split when others come or go. Of three
// videos or more, every split gets one. Hidden files and folders are left out. If c.Data.FPS asks for
// a frame rate, folders of images with an unknown rate are problems, like broken files.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*decoded.Dataset, error) {
	o, err := ReadOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	root := c.Data.Path
	found, err := find(root, split, o)
	if err != nil {
		return nil, err
	}
	if err := o.unused(); err != nil && found.byFolder {
		return nil, fmt.Errorf("%w because %s has folders for its splits", err, root)
	}
	if split == clips.Train && o.lopsided(found.counts) {
		log.Warn("few of the videos are for training, because a hash of their names divides them; sort them into folders train, valid and test instead",
			"train", found.counts[clips.Train], "valid", found.counts[clips.Valid], "test", found.counts[clips.Test])
	}
	decode := o.decode(c)
	found.refuseImagesWithoutRate(decode)
	if len(found.sources)+len(found.problems) == 0 {
		return nil, nothing(root, split, found)
	}
	return decoded.Open(ctx, decoded.Set{Root: root, Split: split, Cache: o.Cache, Decode: decode, Fail: c.Data.OnError == "fail",
		Scenes: o.Scenes, Sources: found.sources, Problems: found.problems}, frames, log)
}

// FPS is how many frames a second clips for training have: c.Data.FPS or, where every frame is kept as
// it is, those of the first video that says it. It is 0 if none does, or if there is none.
func FPS(ctx context.Context, c *configs.Config) float64 {
	o, err := ReadOptions(c)
	if err != nil {
		return 0
	}
	found, err := find(c.Data.Path, clips.Train, o)
	if err != nil {
		return 0
	}
	return decoded.FPS(ctx, found.sources, o.decode(c))
}

// DecodeOptions says how videos become frames.
func DecodeOptions(c *configs.Config) (video.DecodeOptions, error) {
	o, err := ReadOptions(c)
	return o.decode(c), err
}

// decode is [DecodeOptions] of these options.
func (o Options) decode(c *configs.Config) video.DecodeOptions {
	return video.DecodeOptions{FPS: c.Data.FPS, ImageFPS: o.ImageFPS, Size: c.Data.Size, Width: c.Data.Width, Channels: c.Data.Channels, Crop: video.Crop(o.Crop)}
}

// refuseImagesWithoutRate makes problems of folders of images that can't be resampled, because
// their frame rate is unknown.
func (f *found) refuseImagesWithoutRate(o video.DecodeOptions) {
	if o.FPS == 0 || o.ImageFPS > 0 {
		return
	}
	f.sources = slices.DeleteFunc(f.sources, func(s decoded.Source) bool {
		if s.Folder {
			f.problems = append(f.problems, decoded.Problem{Name: s.Name, Err: fmt.Errorf("data.fps is %g, but images don't say how many a second "+
				"they are: set data.options.image_fps to that, or data.fps to 0", o.FPS)})
		}
		return s.Folder
	})
}

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := ReadOptions(c)
	return err
}

// ReadOptions reads the settings under data.options.
func ReadOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	if err := c.Data.Options.Decode("data.options", &o); err != nil {
		return o, err
	}
	return o, o.check()
}

func (o Options) check() error {
	if !(o.Valid+o.Test <= 1) {
		return fmt.Errorf("data.options: valid: %g, test: %g, want together up to 1", o.Valid, o.Test)
	}
	return nil
}

// unused reports a fraction that was changed.
func (o Options) unused() error {
	switch standard := DefaultOptions(); {
	case o.Valid != standard.Valid:
		return fmt.Errorf("data.options.valid: %g has no effect", o.Valid)
	case o.Test != standard.Test:
		return fmt.Errorf("data.options.test: %g has no effect", o.Test)
	}
	return nil
}

// nothing is the error of a split in which there is nothing at all.
func nothing(root string, split clips.Split, found found) error {
	switch {
	case found.byFolder:
		return fmt.Errorf("%s: split %s is empty: put videos into %s", root, split, filepath.Join(root, string(split)))
	case found.others > 0:
		fix := "raise data.options." + string(split)
		if split == clips.Train {
			fix = "lower data.options.valid or data.options.test"
		}
		return fmt.Errorf("%s: split %s is empty: of %d videos none fell into it; %s, add videos, or sort them into "+
			"folders train, valid and test", root, split, found.others, fix)
	}
	return fmt.Errorf("%s: no videos in it: want files such as .mp4, or folders of .png or .jpg", root)
}

// stat follows links. For a missing folder it says which setting names it.
func stat(root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return fmt.Errorf("data.path: %w: want a folder of videos, from where the command is run (--set data.path=FOLDER)", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("data.path: %s: want a folder of videos", root)
	}
	return nil
}
