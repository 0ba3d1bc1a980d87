package eval

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"

	"mcvd/data/clips"
	"mcvd/eval/metric"
	"mcvd/models/weights"
)

// Cache is a folder with features of clips that no model made: real ones, and those of baselines.
// They are the same in every evaluation of the same clips, and a network takes long for them. A file
// has those of a part in one metric. Its name is the hash of what they depend on: the clips' pixels,
// the metric, its weights and the backend. Files may be removed at any time.
//
// What a network computes may also change with the program. So the first vectors that a process
// takes from a folder are computed anew and compared, for each metric. If they differ by more than
// rounding, it reads nothing more of this metric.
type Cache struct {
	Dir     string
	Backend string // on which networks run; backends differ by rounding
	Log     *slog.Logger

	trusted map[string]bool // by metric: whether the first vectors were the same
	failed  bool            // whether a file couldn't be written, which is said once
}

// features are those of clips. They come from the folder if they are there, and go there if not. A
// nil cache computes them, and so do metrics without a network, which are fast.
func (c *Cache) features(m metric.Opened, list []clips.Clip) ([][]float32, error) {
	if c == nil || m.Weights == "" || len(list) == 0 {
		return m.Sets.Features(list)
	}
	key := c.key(m, list)
	path := filepath.Join(c.Dir, key+featuresEnd)
	rows, err := readRows(path, key)
	if err == nil {
		var use bool
		if use, err = c.trust(m, list, rows); err != nil {
			return nil, err
		} else if use {
			return rows, nil
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		c.Log.Warn("features of the cache are made anew", "because", err)
	}
	if rows, err = m.Sets.Features(list); err != nil {
		return nil, err
	}
	if err := c.write(path, key, rows); err != nil && !c.failed {
		c.failed = true
		c.Log.Warn("features are not kept for the next evaluation", "because", err)
	}
	return rows, nil
}

// key is the hash of what the features depend on.
func (c *Cache) key(m metric.Opened, list []clips.Clip) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q\n", m.Name, m.Weights, c.Backend)
	for _, clip := range list {
		fmt.Fprintln(h, clip.Frames, clip.Height, clip.Width, clip.Channels)
		h.Write(clip.Pix)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// tolerance is how much features may differ, in parts of the largest of them. Rounding is a
// thousandth of that.
const tolerance = 1e-3

// trust compares the vectors of the first clip with those that the metric computes now, once for
// each metric.
func (c *Cache) trust(m metric.Opened, list []clips.Clip, rows [][]float32) (bool, error) {
	if trusted, ok := c.trusted[m.Name]; ok {
		return trusted, nil
	}
	now, err := m.Sets.Features(list[:1])
	if err != nil {
		return false, err
	}
	if c.trusted == nil {
		c.trusted = map[string]bool{}
	}
	c.trusted[m.Name] = len(rows) == len(now)*len(list) && alike(slices.Concat(now...), slices.Concat(rows[:len(now)]...))
	if !c.trusted[m.Name] {
		c.Log.Warn("features of the cache are made anew, because this program computes others", "metric", m.Name, "cache", c.Dir)
	}
	return c.trusted[m.Name], nil
}

// alike says whether numbers are the same up to rounding.
func alike(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	largest, difference := 0.0, 0.0
	for i := range a {
		largest = max(largest, math.Abs(float64(a[i])))
		difference = max(difference, math.Abs(float64(a[i])-float64(b[i])))
	}
	return difference <= tolerance*largest // and not NaN
}

// cacheTensor is the name of the only tensor in a file, [vectors, numbers]. cacheKey is that of the
// key in its metadata.
const (
	cacheTensor = "features"
	cacheKey    = "mcvd.features.of"
)

// write makes the file of a key. The key stands in it, too, so that a file under another's name is
// noticed.
func (c *Cache) write(path, key string, rows [][]float32) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	return weights.Write(path, map[string]string{cacheKey: key}, []weights.Entry{rowsEntry(cacheTensor, rows)})
}

// readRows reads the file that write made of a key. Its checksum is compared.
func readRows(path, key string) ([][]float32, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, ok := f.Lookup(cacheTensor)
	if !ok || len(t.Shape) != 2 || t.Shape[0] < 1 || t.Shape[1] < 1 || !f.Summed() {
		return nil, fmt.Errorf("%s: no features with a checksum", path)
	}
	if of := f.Metadata()[cacheKey]; of != key {
		return nil, fmt.Errorf("%s: features of something else: it says that they are of %q", path, of)
	}
	values, err := f.Float32s(cacheTensor)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(values, t.Shape[1])), nil
}
