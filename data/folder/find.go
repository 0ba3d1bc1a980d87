package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mcvd/data/clips"
	"mcvd/data/video"
)

// extensions are those of files that are taken for videos. What is really in them is for ffmpeg to
// say.
var extensions = []string{".3g2", ".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
	".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"}

// unread are the extensions of videos and images in formats that are not read. They are named, so
// that nobody believes that they were read.
var unread = []string{".apng", ".avif", ".bmp", ".heic", ".m3u8", ".mpd", ".mxf", ".rm", ".rmvb", ".tif", ".tiff", ".webp",
	".y4m", ".yuv"}

// source is a video file or a folder of images.
type source struct {
	name     string // relative to the data set's folder, with slashes
	path     string
	bytes    int64
	modified time.Time // the latest, of a folder and what is in it
	isImages bool
}

// include adds an image to a folder of them.
func (s *source) include(image fs.FileInfo) {
	s.bytes += image.Size()
	if image.ModTime().After(s.modified) {
		s.modified = image.ModTime()
	}
}

// isAsItWas reports what has changed at a source's path. In a folder it looks only at the images,
// because the cache may lie there, too.
func (s source) isAsItWas() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	now := source{bytes: info.Size(), modified: info.ModTime()}
	if s.isImages {
		names, err := video.Images(s.path)
		if err != nil {
			return err
		}
		now = source{modified: s.modified}
		for _, name := range names {
			if info, err = os.Stat(name); err != nil {
				return err
			}
			now.include(info)
		}
	}
	if now.bytes != s.bytes || !now.modified.Equal(s.modified) {
		return errors.New("it has changed since it was opened: start again")
	}
	return nil
}

// problem is a file that can't be used.
type problem struct {
	name string
	err  error
}

func (p problem) Error() string { return fmt.Sprintf("%s: %v", p.name, p.err) }

// found is the result of [find].
type found struct {
	sources  []source
	problems []problem
	byFolder bool                // splits are sub-folders
	others   int                 // videos of other splits, if not
	counts   map[clips.Split]int // of the videos that a hash divides among splits
}

// find looks for the videos of a split, sorted by name.
func find(root string, split clips.Split, o Options) (found, error) {
	if err := stat(root); err != nil {
		return found{}, err
	}
	var f found
	_, f.byFolder = clips.Folder(root, split)
	if f.byFolder {
		dir := filepath.Join(root, string(split))
		if info, err := os.Stat(dir); err == nil {
			f.walk(dir, string(split), []fs.FileInfo{info})
		}
		return f, nil
	}
	info, err := os.Stat(root)
	if err != nil {
		return found{}, err
	}
	f.walk(root, ".", []fs.FileInfo{info})
	all := len(f.sources) + len(f.problems)
	var names []string
	for _, s := range f.sources {
		names = append(names, s.name)
	}
	splits := o.shares().All(names)
	f.counts = map[clips.Split]int{}
	for _, s := range f.sources {
		f.counts[splits[s.name]]++
	}
	f.sources = slices.DeleteFunc(f.sources, func(s source) bool { return splits[s.name] != split })
	f.problems = slices.DeleteFunc(f.problems, func(p problem) bool { return o.shares().Of(p.name) != split })
	f.others = all - len(f.sources) - len(f.problems)
	return f, nil
}

// shares are the fractions of the splits.
func (o Options) shares() clips.Shares { return clips.Shares{Valid: o.Valid, Test: o.Test} }

// lopsided says whether a hash gave training fewer than half of the videos that its fraction
// promises, which happens where there are few of them.
func (o Options) lopsided(counts map[clips.Split]int) bool {
	total := 0
	for _, n := range counts {
		total += n
	}
	train := counts[clips.Train] // none is an error of its own
	return train > 0 && float64(train) < (1-o.Valid-o.Test)*float64(total)/2
}

// walk adds the videos in dir. above are the folders from the root to dir. If one of them comes
// again, links form a loop.
func (f *found) walk(dir, name string, above []fs.FileInfo) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.problems = append(f.problems, problem{name, plain(err)})
		return
	}
	images := source{name: name, path: dir, modified: above[len(above)-1].ModTime(), isImages: true}
	count, passed := 0, map[string]int{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		file, at := path.Join(name, entry.Name()), filepath.Join(dir, entry.Name())
		info, err := os.Stat(at) // follows links, as entry doesn't
		extension := strings.ToLower(filepath.Ext(at))
		isVideo := slices.Contains(extensions, extension)
		switch {
		case err != nil:
			f.problems = append(f.problems, problem{file, plain(err)})
		case info.IsDir():
			if !slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
				f.walk(at, file, append(slices.Clip(above), info))
			}
		case slices.Contains(unread, extension):
			passed[extension]++
		case !isVideo && !video.IsImage(entry.Name()):
		case !info.Mode().IsRegular():
			f.problems = append(f.problems, problem{file, errors.New("not a regular file")})
		case info.Size() == 0:
			f.problems = append(f.problems, problem{file, errors.New("empty file")})
		case isVideo:
			f.sources = append(f.sources, source{name: file, path: at, bytes: info.Size(), modified: info.ModTime()})
		default:
			count++
			images.include(info)
		}
	}
	for _, extension := range slices.Sorted(maps.Keys(passed)) {
		f.problems = append(f.problems, problem{path.Join(name, "*"+extension),
			fmt.Errorf("%d in a format that is not read: want MP4, WebM, MKV or another video, or PNG or JPEG images", passed[extension])})
	}
	if count > 0 {
		f.sources = append(f.sources, images)
	}
}

// plain drops the operation and the path from an error of package os, because problems already
// begin with a name.
func plain(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}
