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

	"mcvd/data/clips"
	"mcvd/data/decoded"
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

// found is the result of [find].
type found struct {
	sources  []decoded.Source
	problems []decoded.Problem
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
		names = append(names, s.Name)
	}
	splits := o.shares().All(names)
	f.counts = map[clips.Split]int{}
	for _, s := range f.sources {
		f.counts[splits[s.Name]]++
	}
	f.sources = slices.DeleteFunc(f.sources, func(s decoded.Source) bool { return splits[s.Name] != split })
	f.problems = slices.DeleteFunc(f.problems, func(p decoded.Problem) bool { return o.shares().Of(p.Name) != split })
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
		f.problems = append(f.problems, decoded.Problem{Name: name, Err: decoded.Plain(err)})
		return
	}
	images := decoded.Source{Name: name, Path: dir, Modified: above[len(above)-1].ModTime(), Folder: true}
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
			f.problems = append(f.problems, decoded.Problem{Name: file, Err: decoded.Plain(err)})
		case info.IsDir():
			if !slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
				f.walk(at, file, append(slices.Clip(above), info))
			}
		case slices.Contains(unread, extension):
			passed[extension]++
		case !isVideo && !video.IsImage(entry.Name()):
		case !info.Mode().IsRegular():
			f.problems = append(f.problems, decoded.Problem{Name: file, Err: errors.New("not a regular file")})
		case info.Size() == 0:
			f.problems = append(f.problems, decoded.Problem{Name: file, Err: errors.New("empty file")})
		case isVideo:
			f.sources = append(f.sources, decoded.Source{Name: file, Path: at, Bytes: info.Size(), Modified: info.ModTime()})
		default:
			count++
			images.Include(info)
		}
	}
	for _, extension := range slices.Sorted(maps.Keys(passed)) {
		f.problems = append(f.problems, decoded.Problem{Name: path.Join(name, "*"+extension), Err: fmt.Errorf("%d in a format that is not read: want MP4, WebM, MKV or another video, or PNG or JPEG images", passed[extension])})
	}
	if count > 0 {
		f.sources = append(f.sources, images)
	}
}
