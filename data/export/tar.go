package export

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
)

// fileBytes is up to how many bytes of frames a tar or a recording's MP4 has; a longer video has one
// of its own.
const fileBytes = 256e6

// writeTar writes tars as webdataset reads them. Equal videos give equal bytes.
func writeTar(_ context.Context, dir string, split clips.Split, videos Videos) error {
	return writeTars(dir, split, videos, fileBytes)
}

// writeTars begins a new tar where a video would make one of more than size bytes of frames.
func writeTars(dir string, split clips.Split, videos Videos, size int) error {
	dir = filepath.Join(dir, string(split))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	next, stop := iter.Pull2(videos)
	defer stop()
	v, err, ok := next()
	for file, number := 0, 0; ok && err == nil; file++ {
		err = atomicfile.Write(filepath.Join(dir, fmt.Sprintf("%06d.tar", file)), func(tmp *os.File) error {
			buffered := bufio.NewWriterSize(tmp, 1<<20)
			w := tar.NewWriter(buffered)
			for left := size; ok && (left == size || len(v.Pix) <= left); number++ {
				if err := add(w, fmt.Sprintf("%06d.npy", number), npyHead(v.Clip), v.Pix); err != nil {
					return err
				}
				left -= len(v.Pix)
				var broken error
				if v, broken, ok = next(); broken != nil {
					return broken
				}
			}
			return errors.Join(w.Close(), buffered.Flush())
		})
	}
	return err
}

// add adds a file of two parts to a tar.
func add(w *tar.Writer, name string, head, body []byte) error {
	h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(head) + len(body)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	for _, part := range [][]byte{head, body} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// npyHead is what stands before the bytes of a clip in an NPY file of version 1.0: 10 bytes and a
// text, together a multiple of 64.
func npyHead(c clips.Clip) []byte {
	text := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d, %d, %d), }", c.Frames, c.Height, c.Width, c.Channels)
	size := (10 + len(text) + 1 + 63) / 64 * 64
	text += strings.Repeat(" ", size-10-len(text)-1) + "\n"
	return fmt.Appendf(nil, "\x93NUMPY\x01\x00%c%c%s", len(text)&255, len(text)>>8, text)
}
