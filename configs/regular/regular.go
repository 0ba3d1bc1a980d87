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

// Read reads a regular file as a whole.
func Read(path string) ([]byte, error) {
	file, _, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}
