package decoded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"mcvd/data/store"
	"mcvd/data/video"
)

// Source is a file, a folder of images, or a list of images. It is decoded as a whole.
type Source struct {
	Name     string      // in the data set, such as the path below its folder, with slashes
	Path     string      // of the file or the folder
	Piece    video.Piece // of the file that is the source, if not all of it
	Folder   bool        // Path is a folder of images
	Images   []string    // the files of a list of images, one for each frame; Path has no meaning then
	Bytes    int64       // the size, of images together
	Modified time.Time   // when it was last changed, of images the latest
	Parts    []Part      // the videos in it; nil if it is one
	Class    string      // what its videos show, such as an action; "" if that is unknown
	Exact    bool        // a part that goes on after the end of the source is a [Problem], not shorter
}

// Part is a video that is a part of a source.
type Part struct {
	Name     string // in the data set
	From, To int    // its frames are those from From to before To
}

// Problem is a source that can't be used.
type Problem struct {
	Name string
	Err  error
}

func (p Problem) Error() string { return fmt.Sprintf("%s: %v", p.Name, p.Err) }

// Film is a source that is one file, as it is now. It must be a regular file that is not empty.
func Film(name, path string) (Source, error) {
	s := Source{Name: name, Path: path}
	return s, s.look()
}

// Stills is a source that is a list of images, as they are now.
func Stills(name string, files []string) (Source, error) {
	s := Source{Name: name, Images: files}
	return s, s.look()
}

// files are those that a source consists of. In a folder these are only the images, because the cache may
// lie there, too.
func (s Source) files() ([]string, error) {
	switch {
	case s.Folder:
		return video.Images(s.Path)
	case s.Images != nil:
		return s.Images, nil
	}
	return []string{s.Path}, nil
}

// content is a checksum of the source's bytes; "" for a piece of a file, such as of a tar.
func (s Source) content() (string, error) {
	if s.Piece != (video.Piece{}) {
		return "", nil
	}
	files, err := s.files()
	if err != nil {
		return "", err
	}
	return store.Content(files...)
}

// look takes down what the files of a source look like.
func (s *Source) look() error {
	files, err := s.files()
	if err != nil {
		return err
	}
	if !s.Folder {
		s.Modified = time.Time{}
	}
	s.Bytes = 0
	for _, file := range files {
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return Plain(err)
		case !info.Mode().IsRegular():
			return errors.New("not a regular file")
		case info.Size() == 0:
			return errors.New("empty file")
		}
		s.Include(info)
	}
	return nil
}

// Include adds a file to what a source consists of.
func (s *Source) Include(file fs.FileInfo) {
	s.Bytes += file.Size()
	if file.ModTime().After(s.Modified) {
		s.Modified = file.ModTime()
	}
}

// decode calls each with one frame after the other.
func (s Source) decode(ctx context.Context, o video.DecodeOptions, each func(frame []uint8) error) (video.Decoded, error) {
	if s.Images != nil {
		return video.DecodeImages(ctx, s.Images, o, each)
	}
	if s.Piece != (video.Piece{}) {
		return video.DecodePiece(ctx, s.Path, s.Piece, o, each)
	}
	return video.Decode(ctx, s.Path, o, each)
}

func (s Source) isImages() bool { return s.Folder || s.Images != nil }

// isAsItWas reports that a source has changed.
func (s Source) isAsItWas() error {
	now := s
	if err := now.look(); err != nil {
		return err
	}
	if now.Bytes != s.Bytes || !now.Modified.Equal(s.Modified) {
		return errors.New("it has changed since it was opened: start again")
	}
	return nil
}

// Plain drops the operation and the path from an error of package os, because a [Problem] already
// begins with a name.
func Plain(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Below is the folder sub in root if there is one, otherwise root: distributions are unpacked with and
// without their outer folder.
func Below(root, sub string) string {
	if dir := filepath.Join(root, sub); isDir(dir) {
		return dir
	}
	return root
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Listed are the sources that a list names below root, with slashes. Those that are not there are one
// problem together, because a list may have thousands of them.
func Listed(root string, names []string) (sources []Source, problems []Problem) {
	missing, first := 0, ""
	for _, name := range names {
		s, err := Film(name, filepath.Join(root, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing++
			first = cmp.Or(first, name)
		case err != nil:
			problems = append(problems, Problem{name, err})
		default:
			sources = append(sources, s)
		}
	}
	if missing > 0 {
		problems = append(problems, Problem{first, fmt.Errorf("no such file, the first of %d that are missing of %d in the list", missing, len(names))})
	}
	return sources, problems
}
