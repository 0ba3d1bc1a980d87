// Package compiled keeps what XLA has compiled, in a folder of files, so that a second start needn't
// compile it again.
//
// A file is named after the key of its program, in hexadecimal. It holds a line that says what it
// is, the key, the SHA-256 of the executable, and the executable as the plugin serialized it. An
// executable is machine code that a process runs, so the folder is the user's alone.
package compiled

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mcvd/configs/atomicfile"
	"mcvd/configs/regular"
)

// Key stands for a program and everything else that its executable depends on.
type Key [sha256.Size]byte

// KeyOf is the key of a program to which all parts belong. Each part counts by itself: to move a
// byte from one to the next gives another key.
func KeyOf(parts ...[]byte) Key {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	return Key(h.Sum(nil))
}

// Cache is a folder of executables.
type Cache struct {
	folder string
	most   int64 // bytes
}

// New is the cache in a folder, which is made when something is first put into it. Its files have at
// most so many bytes together.
func New(folder string, most int64) *Cache { return &Cache{folder: folder, most: most} }

// Damaged is the error for a file that isn't what was written.
type Damaged struct{ path, why string }

func (d Damaged) Error() string { return d.path + ": " + d.why }

const (
	title     = "mcvd: a program that XLA compiled, 1\n"
	extension = ".xla"
	header    = len(title) + 2*sha256.Size
)

// Get returns the executable of a program, fs.ErrNotExist if there is none, or Damaged. To a damaged
// file nothing is done: the next Put of the key replaces it.
func (c *Cache) Get(key Key) ([]byte, error) {
	path := c.path(key)
	file, err := regular.OpenUpTo(path, c.most)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	all, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	executable, why := parse(all, key)
	if why != "" {
		return nil, Damaged{path, why}
	}
	// The time says when it was last used, by which Put decides what to remove. Nothing else depends on
	// it, so that a folder which can't be written to can be read from.
	now := time.Now()
	_ = os.Chtimes(path, now, now)
	return executable, nil
}

// parse returns the executable in a file of a key, or says why the file is damaged.
func parse(all []byte, key Key) (executable []byte, why string) {
	if len(all) < header || !bytes.HasPrefix(all, []byte(title)) || !bytes.Equal(all[len(title):][:len(key)], key[:]) {
		return nil, "not the file of an executable"
	}
	executable = all[header:]
	if sum := sha256.Sum256(executable); !bytes.Equal(all[len(title)+len(key):header], sum[:]) {
		return nil, "its bytes differ from those that were written"
	}
	return executable, ""
}

// format is the file of a key and its executable, in parts.
func format(key Key, executable []byte) [][]byte {
	sum := sha256.Sum256(executable)
	return [][]byte{[]byte(title), key[:], sum[:], executable}
}

// Put keeps the executable of a program. If there are too many bytes then, those that were not used
// for the longest time are removed. An executable that is larger than the whole cache is not kept.
func (c *Cache) Put(key Key, executable []byte) error {
	if int64(header+len(executable)) > c.most {
		return nil
	}
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return err
	}
	err := atomicfile.Write(c.path(key), func(tmp *os.File) error {
		for _, part := range format(key, executable) {
			if _, err := tmp.Write(part); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, c.prune())
}

// prune removes the files that were not used for the longest time, until the others fit, and what
// processes left that were killed while they wrote. Another process may do the same.
func (c *Cache) prune() error {
	atomicfile.Clean(c.folder)
	entries, err := os.ReadDir(c.folder)
	if err != nil {
		return err
	}
	var kept []fs.FileInfo
	var size int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // another process removed it, or it isn't ours
		}
		switch {
		case filepath.Ext(e.Name()) == extension:
			kept = append(kept, info)
			size += info.Size()
		}
	}
	slices.SortFunc(kept, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, info := range kept {
		if size <= c.most {
			break
		}
		if err := os.Remove(filepath.Join(c.folder, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		size -= info.Size()
	}
	return nil
}

func (c *Cache) path(key Key) string {
	return filepath.Join(c.folder, hex.EncodeToString(key[:])+extension)
}
