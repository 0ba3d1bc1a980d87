// Package store keeps the frames of videos on disk, each with a checksum that is compared whenever
// the frame is read. A [File] holds one or many videos of frames of one size. A [Store] is a folder
// of such files with one video each, which any decoder can fill, frame by frame. It may be deleted
// at any time, and several processes may use it at once. Nothing keeps frames or open files in
// memory.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"mcvd/configs/atomicfile"
)

// Extension is how the names of the store's files end.
const Extension = ".frames"

// Store is a folder with one file for each video and its settings.
type Store struct {
	dir  string
	log  *slog.Logger
	lock func(path string) lock
}

// lock is a lock of a file, which processes take from each other.
type lock interface {
	TryLock() (bool, error)
	TryLockContext(ctx context.Context, retry time.Duration) (bool, error)
	Unlock() error
}

// New is the store in dir, which is created when it is first locked. log gets a line when something
// has to wait.
func New(dir string, log *slog.Logger) *Store {
	return &Store{dir, log, func(path string) lock { return flock.New(path) }}
}

// Video says what frames were made from. The frames of a store are used as long as all of it but Content
// stays the same.
type Video struct {
	Name     string    // of the video in its data set
	Bytes    int64     // size of the source
	Modified time.Time // when the source was last changed, to a nanosecond
	Content  string    // a checksum of the source, see [Content]; it may be unknown, and is not compared
	Settings string    // everything else that changes the frames, as one line of text; frames for other settings are stored side by side
	Height   int
	Width    int
	Channels int
}

// FrameSize is the number of bytes of a frame.
func (v Video) FrameSize() int { return v.format().FrameSize() }

func (v Video) format() Format {
	return Format{Settings: v.Settings, Height: v.Height, Width: v.Width, Channels: v.Channels}
}

func (v Video) source() Source { return Source{v.Name, v.Bytes, v.Modified, v.Content} }

// base is where a video's file lies, without its extension.
func (s *Store) base(v Video) string {
	key := sha256.Sum256(fmt.Appendf(nil, "%q %s", v.Name, v.Settings))
	return filepath.Join(s.dir, hex.EncodeToString(key[:12]))
}

// Find returns a video's frames if they were made from the video as it is now and the file's index
// is whole.
func (s *Store) Find(v Video) (Entry, bool) {
	f, err := OpenFile(s.base(v) + Extension)
	if err != nil || f.Format != v.format().Written() || len(f.Videos) != 1 || !f.Source(0).is(v.source().Written()) {
		return Entry{}, false
	}
	return f.entries[0], true
}

// Put stores a video's frames, in place of others that it has, as [Writer.Add] does. If anything
// fails, the store stays as it was. Put needs the [Store.Lock].
func (s *Store) Put(v Video, decode func(add func(frame []uint8) error) (fps float64, err error)) (Entry, error) {
	base := s.base(v)
	_, err := WriteFile(base+Extension, v.format(), func(w *Writer) error {
		_, err := w.Add(v.source(), decode)
		return err
	})
	if err != nil {
		return Entry{}, err
	}
	for _, old := range []string{".raw", ".json"} { // the file of version 1 for this video
		os.Remove(base + old)
	}
	f, err := OpenFile(base + Extension)
	if err != nil {
		return Entry{}, err
	}
	return f.entries[0], nil
}

// Lock waits until no other process writes to the store, and makes others wait. It makes the
// store's folder, and removes what killed processes left in it.
func (s *Store) Lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	lock := s.lock(filepath.Join(s.dir, "lock"))
	ok, err := lock.TryLock()
	if err == nil && !ok {
		s.log.Info("waiting for another process that writes into the same folder", "folder", s.dir)
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
	atomicfile.Clean(s.dir) // the lock says that nobody writes them
	return func() { lock.Unlock() }, nil
}
