package regular

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Walk calls each with the path of every file below a folder, relative to it and with slashes, in
// the order of their names. It goes where links lead, but not around in a loop of them. What is
// hidden, which means that its name begins with a dot, is passed over. A link that leads nowhere is
// a file. If root is a file, each is called with ".".
func Walk(root string, each func(name string) error) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return each(".")
	}
	return walk(root, ".", []fs.FileInfo{info}, each)
}

// walk goes through the folder name of root. above are the folders from the root to it. If one of
// them comes again, links form a loop.
func walk(root, name string, above []fs.FileInfo, each func(name string) error) error {
	entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		below := path.Join(name, entry.Name())
		info, err := os.Stat(filepath.Join(root, filepath.FromSlash(below))) // follows links, as entry doesn't
		switch {
		case err != nil || !info.IsDir():
			err = each(below)
		case !slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }):
			err = walk(root, below, append(slices.Clip(above), info), each)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
