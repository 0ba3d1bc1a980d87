// Package store keeps the raw frames of videos on disk, each with a checksum that is compared
// whenever the frame is read. Any decoder can fill it, frame by frame. A store is a folder that may
// be deleted at any time, and that several processes may use at once. It keeps neither frames nor
// open files in memory.
package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"mcvd/configs/atomicfile"
)

// Store is a folder with one file for each video and its settings.
type Store struct {
	dir string
	log *slog.Logger
}

// New is the store in dir, which is created when it is first locked. log gets a line when something
// has to wait.
func New(dir string, log *slog.Logger) *Store { return &Store{dir, log} }

// base is where a video's file lies, without its extension.
func (s *Store) base(v Video) string {
	key := sha256.Sum256(fmt.Appendf(nil, "%q %s", v.Name, v.Settings))
	return filepath.Join(s.dir, hex.EncodeToString(key[:12]))
}

// Entry is a video whose frames a store holds.
type Entry struct {
	Frames    int
	FPS       float64 // frames a second, 0 where that is unknown
	path      string
	frameSize int
}

// Find returns a video's frames if they were made from the video as it is now and the file's index
// is whole.
func (s *Store) Find(v Video) (Entry, bool) {
	path := s.base(v) + ".frames"
	file, err := open(path)
	if err != nil {
		return Entry{}, false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Entry{}, false
	}
	a, err := readIndex(file, info.Size())
	if err != nil || a != v.about(a.Frames, a.FPS) {
		return Entry{}, false
	}
	return Entry{a.Frames, a.FPS, path, v.FrameSize()}, true
}

// Put stores a video's frames, in place of others that it has. decode calls add with one frame
// after the other, each row-major [height, width, channels] and valid only during the call. It
// returns the frame rate, 0 if it is unknown. If anything fails, the store stays as it was. Put
// needs the [Store.Lock].
func (s *Store) Put(v Video, decode func(add func(frame []uint8) error) (fps float64, err error)) (Entry, error) {
	base := s.base(v)
	e := Entry{path: base + ".frames", frameSize: v.FrameSize()}
	err := atomicfile.Write(e.path, func(tmp *os.File) (err error) {
		out := bufio.NewWriterSize(tmp, 1<<20)
		var sums []byte
		e.FPS, err = decode(func(frame []uint8) error {
			if len(frame) != e.frameSize {
				return fmt.Errorf("frame %d has %d bytes, want %dx%dx%d", e.Frames, len(frame), v.Height, v.Width, v.Channels)
			}
			sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(frame, castagnoli))
			e.Frames++
			_, err := out.Write(frame)
			return err
		})
		if err == nil && e.Frames == 0 {
			err = errors.New("no frames")
		}
		if err != nil {
			return err
		}
		return errors.Join(writeIndex(out, sums, v.about(e.Frames, e.FPS)), out.Flush())
	})
	if err != nil {
		return Entry{}, err
	}
	for _, old := range []string{".raw", ".json"} { // the file of version 1 for this video
		os.Remove(base + old)
	}
	return e, nil
}

// ErrDamaged is in the error if frames are missing, or are not those that were stored.
var ErrDamaged = errors.New("not as they were stored")

// Read fills pix with whole frames, beginning with the frame numbered start, and compares their
// checksums. If frames were changed, cut off or deleted, the error is [ErrDamaged].
func (e Entry) Read(start int, pix []uint8) (err error) {
	file, err := open(e.path)
	if err != nil {
		return damage(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return e.read(file, start, pix)
}

func (e Entry) read(file io.ReaderAt, start int, pix []uint8) error {
	frames := len(pix) / e.frameSize
	if start < 0 || len(pix)%e.frameSize != 0 || start+frames > e.Frames {
		return fmt.Errorf("%d bytes from frame %d on, want some of %d frames of %d", len(pix), start, e.Frames, e.frameSize)
	}
	sums := make([]byte, 4*frames)
	if _, err := file.ReadAt(pix, int64(start)*int64(e.frameSize)); err != nil {
		return damage(err)
	}
	if _, err := file.ReadAt(sums, int64(e.Frames)*int64(e.frameSize)+4*int64(start)); err != nil {
		return damage(err)
	}
	for i := range frames {
		if crc32.Checksum(pix[i*e.frameSize:][:e.frameSize], castagnoli) != binary.LittleEndian.Uint32(sums[4*i:]) {
			return fmt.Errorf("frame %d has another checksum: %w", start+i, ErrDamaged)
		}
	}
	return nil
}

// open opens a regular file. Anything else in its place is damage, because opening a pipe would
// wait for a writer.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file: %w", path, ErrDamaged)
	}
	return os.Open(path)
}

// damage adds ErrDamaged to the errors of files that are gone or cut off.
func damage(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	return err
}

// Verify reads all frames of an entry, a few at a time.
func (e Entry) Verify() (err error) {
	file, err := open(e.path)
	if err != nil {
		return damage(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	pix := make([]uint8, e.frameSize*max(1, 1<<20/e.frameSize))
	for start := 0; start < e.Frames; start += len(pix) / e.frameSize {
		pix = pix[:min(len(pix), (e.Frames-start)*e.frameSize)]
		if err := e.read(file, start, pix); err != nil {
			return err
		}
	}
	return nil
}

// Lock waits until no other process writes to the store, and makes others wait. It makes the
// store's folder, and removes what killed processes left in it.
func (s *Store) Lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(s.dir, "lock"))
	ok, err := lock.TryLock()
	if err == nil && !ok {
		s.log.Info("waiting for another process that decodes into the same cache", "cache", s.dir)
		_, err = lock.TryLockContext(ctx, 100*time.Millisecond)
	}
	switch {
	case ctx.Err() != nil:
		lock.Unlock()
		return nil, fmt.Errorf("%s: %w", s.dir, context.Cause(ctx))
	case errors.Is(err, errors.ErrUnsupported): // some network file systems; renaming keeps the files whole without it
		return func() {}, nil
	case err != nil:
		return nil, err
	}
	entries, _ := os.ReadDir(s.dir)
	for _, e := range entries { // the lock says that nobody writes them
		if strings.HasPrefix(e.Name(), atomicfile.Prefix) {
			os.Remove(filepath.Join(s.dir, e.Name()))
		}
	}
	return func() { lock.Unlock() }, nil
}
