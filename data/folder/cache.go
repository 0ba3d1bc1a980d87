package folder

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"mcvd/configs/atomicfile"
	"mcvd/data/video"
)

// cacheVersion changes when equal settings begin to give other frames, so that caches are made anew.
const cacheVersion = 1

// cache is a folder with two files for each video and setting: raw frames, uint8 [frames, height, width, channels], and
// a manifest that says what they were made of. Both are written under a temporary name and renamed, the manifest last:
// whatever it describes is whole.
type cache struct {
	dir    string
	decode video.DecodeOptions
	fail   bool // a broken file is an error
	log    *slog.Logger

	problems []problem
}

// cached is a video whose frames the cache holds.
type cached struct {
	name   string
	path   string // of the raw frames
	frames int
}

// manifest describes a file of raw frames. All but the frames must be as now for it to be used.
type manifest struct {
	Version  int        `json:"version"`
	Source   string     `json:"source"`
	Bytes    int64      `json:"bytes"`
	Modified time.Time  `json:"modified"`
	Size     int        `json:"size"`
	Channels int        `json:"channels"`
	FPS      float64    `json:"fps"`
	Crop     video.Crop `json:"crop"`
	Frames   int        `json:"frames"`
}

func (c *cache) manifest(s source, frames int) manifest {
	return manifest{cacheVersion, s.name, s.bytes, s.modified.UTC().Round(0), c.decode.Size, c.decode.Channels,
		c.decode.FPS, c.decode.Crop, frames}
}

// readManifest is strict: a field that is missing, misspelled or too much makes the video be decoded anew.
func readManifest(r io.Reader) (m manifest, err error) {
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return m, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return manifest{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return manifest{}, errors.New("manifest: more than one value")
	}
	if m.Frames < 1 || m.Size < 1 || m.Channels < 1 {
		return manifest{}, fmt.Errorf("manifest: %d frames of %dx%dx%d", m.Frames, m.Size, m.Size, m.Channels)
	}
	return m, nil
}

// paths are where the manifest and the frames of a video lie. Different settings have different names, so that
// experiments with different sizes share a folder.
func (c *cache) paths(s source) (manifest, raw string) {
	key := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %g %s", s.name, c.decode.Size, c.decode.Channels, c.decode.FPS, c.decode.Crop))
	base := filepath.Join(c.dir, hex.EncodeToString(key[:12]))
	return base + ".json", base + ".raw"
}

// lookup finds a video's frames, if they are whole and made of what is there now.
func (c *cache) lookup(s source) (cached, bool) {
	at, raw := c.paths(s)
	file, err := os.Open(at)
	if err != nil {
		return cached{}, false
	}
	defer file.Close()
	m, err := readManifest(file)
	if err != nil || m != c.manifest(s, m.Frames) {
		return cached{}, false
	}
	info, err := os.Stat(raw)
	frame := int64(m.Size) * int64(m.Size) * int64(m.Channels)
	if err != nil || info.Size()%frame != 0 || info.Size()/frame != int64(m.Frames) {
		return cached{}, false
	}
	return cached{s.name, raw, m.Frames}, true
}

// add decodes a video into the cache. broken is what is wrong with the video; err what is wrong with everything else.
func (c *cache) add(ctx context.Context, s source, each func()) (v cached, broken, err error) {
	at, raw := c.paths(s)
	err = atomicfile.Write(raw, func(tmp *os.File) error {
		out := bufio.NewWriterSize(tmp, 1<<20)
		var full error // the disk, most likely
		v.frames, broken = video.Decode(ctx, s.path, c.decode, func(frame []uint8) error {
			each()
			_, full = out.Write(frame)
			return full
		})
		if broken != nil && (full != nil || ctx.Err() != nil || errors.Is(broken, video.ErrTool)) {
			err := broken
			broken = nil
			return err
		}
		if broken != nil {
			return broken
		}
		return out.Flush()
	})
	if broken != nil {
		return v, broken, nil
	}
	if err == nil {
		err = atomicfile.Write(at, func(tmp *os.File) error {
			return json.NewEncoder(tmp).Encode(c.manifest(s, v.frames))
		})
	}
	v.name, v.path = s.name, raw
	return v, nil, err
}

// lock waits until no other process decodes into the cache, and makes others wait.
func (c *cache) lock(ctx context.Context) (unlock func(), err error) {
	fix := func(err error) error {
		return fmt.Errorf("data.options.cache: %s: can't write decoded frames: %w; set it to a folder that is writable", c.dir, err)
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, fix(err)
	}
	lock := flock.New(filepath.Join(c.dir, "lock"))
	ok, err := lock.TryLock()
	if err == nil && !ok {
		c.log.Info("waiting for another process that decodes into the same cache", "cache", c.dir)
		_, err = lock.TryLockContext(ctx, 100*time.Millisecond)
	}
	switch {
	case ctx.Err() != nil:
		lock.Unlock()
		return nil, fmt.Errorf("%s: %w", c.dir, context.Cause(ctx))
	case errors.Is(err, errors.ErrUnsupported): // some network file systems; renaming keeps the files whole without it
		return func() {}, nil
	case err != nil:
		return nil, fix(err)
	}
	entries, _ := os.ReadDir(c.dir)
	for _, e := range entries { // what processes left that were killed: the lock says that nobody writes it
		if strings.HasPrefix(e.Name(), atomicfile.Prefix) {
			os.Remove(filepath.Join(c.dir, e.Name()))
		}
	}
	return func() { lock.Unlock() }, nil
}

// skip names a file that can't be used and counts it, or fails.
func (c *cache) skip(p problem) error {
	if c.fail {
		return fmt.Errorf("%w (data.on_error: skip would leave it out)", p)
	}
	c.log.Warn("file can't be used and is left out", "file", p.name, "reason", p.err)
	c.problems = append(c.problems, p)
	return nil
}
