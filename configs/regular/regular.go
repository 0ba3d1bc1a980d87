// Package regular reads files that must be regular ones. Opening a named pipe would wait for a
// writer, and a device may have no end.
package regular

import (
	"fmt"
	"io"
	"os"
)

// Open opens a regular file for reading and says how many bytes it has. Anything else, such as a
// pipe, a device or a folder, is refused before it is opened. An error names the file.
func Open(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: not a regular file", path)
	}
	file, err := os.Open(path)
	return file, info.Size(), err
}

// OpenUpTo is [Open] for a file that is read to its end. It refuses one of more than most bytes, which
// is another file than the one that is meant: to read only its beginning would pass over the rest.
func OpenUpTo(path string, most int64) (*os.File, error) {
	file, size, err := Open(path)
	if err == nil && size > most {
		file.Close()
		return nil, fmt.Errorf("%s: %d bytes, want up to %d", path, size, most)
	}
	return file, err
}

// maxRead is the most bytes that [Read] takes into memory.
const maxRead = 1 << 30

// Read reads a regular file of up to 1 GiB as a whole.
func Read(path string) ([]byte, error) {
	file, err := OpenUpTo(path, maxRead)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}
