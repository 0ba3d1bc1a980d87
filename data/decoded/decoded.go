// Package decoded is what data sets of films and images have in common: from a list of sources, such
// as files that ffmpeg reads, it makes a data set.
//
// Every source is decoded once, into a cache of small raw frames. Training then reads only the frames
// of a clip. The cache notices changed files, changed settings and damage. It may be deleted at any
// time, and several processes may use it at once.
package decoded

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"mcvd/data/clips"
	"mcvd/data/store"
	"mcvd/data/video"
)

// Set is what a data set knows about a split before anything is decoded.
type Set struct {
	Root     string // of the data set, for messages
	Split    clips.Split
	Cache    string              // the folder for decoded frames; "" for .mcvd-cache in Root
	Decode   video.DecodeOptions // how frames become those of the data set
	Fail     bool                // a source that can't be used is an error
	Scenes   float64             // where videos are divided at cuts, see [Dataset.divide]; 0 for nowhere
	Sources  []Source
	Problems []Problem // sources that are known to be unusable
	// Classes are all that videos may show, whatever this split has; nil for those of the sources. They
	// are sorted.
	Classes []string
}

// classes are those of the set, or of its sources, sorted.
func (s Set) classes() []string {
	if s.Classes != nil {
		return s.Classes
	}
	there := map[string]bool{}
	for _, source := range s.Sources {
		if source.Class != "" {
			there[source.Class] = true
		}
	}
	return slices.Sorted(maps.Keys(there))
}

// Open decodes the sources that the cache doesn't hold, two at a time. It logs a line now and then.
// The data set has their videos in the order of the list.
//
// A source that can't be read is named in log and left out; if s.Fail, it is an error. Videos with
// fewer than frames frames are named and left out. It is an error if no video is left, if the cache
// can't be written, if ffmpeg is missing, or if ctx ends. The end of ctx also ends what Clip may have
// to decode later.
func Open(ctx context.Context, s Set, frames int, log *slog.Logger) (*Dataset, error) {
	if s.Cache == "" {
		s.Cache = filepath.Join(s.Root, ".mcvd-cache")
	}
	cache := &cache{store: store.New(s.Cache, log), dir: s.Cache, log: log, fail: s.Fail, decode: s.Decode}
	for _, p := range s.Problems {
		if err := cache.skip(p); err != nil {
			return nil, err
		}
	}
	sources, err := cache.fill(ctx, s.Sources)
	if err != nil {
		return nil, err
	}
	d := &Dataset{classes: s.classes(), cache: cache, ctx: ctx}
	for i := range sources {
		for _, v := range sources[i].videos(log) {
			if v.of.Exact && v.missing > 0 {
				if err := cache.skip(Problem{v.name, fmt.Errorf("%s ends %d frames before it does", v.of.Name, v.missing)}); err != nil {
					return nil, err
				}
				continue
			}
			if v.frames < frames {
				short := Problem{v.name, fmt.Errorf("%d frames, want at least %d", v.frames, frames)}
				log.Warn("video is too short and left out", "video", v.name, "reason", short.Err)
				cache.problems = append(cache.problems, short)
				continue
			}
			d.videos = append(d.videos, v)
		}
	}
	if s.Scenes > 0 {
		if err := d.divide(s.Scenes, frames); err != nil {
			return nil, err
		}
	}
	if len(d.videos) == 0 {
		return nil, s.nothing(cache.problems)
	}
	log.Info("videos are ready", "split", s.Split, "videos", len(d.videos), "left_out", len(cache.problems))
	return d, nil
}

// nothing is the error of a split without any usable video.
func (s Set) nothing(problems []Problem) error {
	reasons := make([]string, 0, 4)
	for i, p := range problems {
		if i == 3 {
			reasons = append(reasons, "...")
			break
		}
		reasons = append(reasons, p.Error())
	}
	return fmt.Errorf("%s: no usable video for split %s: %d found, %d left out: %s",
		s.Root, s.Split, len(s.Sources)+len(s.Problems), len(problems), strings.Join(reasons, "; "))
}

// FPS is how many frames a second the videos of sources have: rate or, where every frame is kept as it
// is, those of the first source that says it. It is 0 if none does. Nothing is decoded.
func FPS(ctx context.Context, sources []Source, decode video.DecodeOptions) float64 {
	if decode.FPS > 0 {
		return decode.FPS
	}
	for _, s := range sources {
		fps := decode.ImageFPS
		if !s.isImages() {
			fps, _ = video.FPS(ctx, s.Path) // another source may say it
		}
		if fps > 0 {
			return fps
		}
	}
	return 0
}
