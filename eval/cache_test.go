package eval

import (
	"bytes"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// counted is brightness that counts the clips that it describes. It adds a number to it.
type counted struct {
	clips *int
	plus  float32
}

func (c counted) Features(list []clips.Clip) ([][]float32, error) {
	*c.clips += len(list)
	rows, err := brightness{}.Features(list)
	for _, row := range rows {
		row[0] += c.plus
	}
	return rows, err
}

// cached is a metric with a network, and how many clips it has described.
func cached(plus float32) (metric.Opened, *int) {
	n := new(int)
	return metric.Opened{Info: metric.Info{Name: "brightness", Weights: "abc"}, Sets: counted{n, plus}}, n
}

// opened is the cache as a new process finds it, and what it says.
func openedCache(dir string) (*Cache, *bytes.Buffer) {
	said := &bytes.Buffer{}
	return &Cache{Dir: dir, Backend: "go", Log: slog.New(slog.NewTextHandler(said, nil))}, said
}

func bright(levels ...uint8) (list []clips.Clip) {
	for _, v := range levels {
		c := clips.NewClip(2, 4, 4, 1)
		for i := range c.Pix {
			c.Pix[i] = v
		}
		list = append(list, c)
	}
	return list
}

// Features are computed once for the same pixels, metric, weights and backend; a new process computes
// the first vector again to compare it.
func TestFeaturesAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "features")
	list, want := bright(10, 20, 30), [][]float32{{10}, {20}, {30}}
	first, said := openedCache(dir)
	for _, tt := range []struct {
		what   string
		change func(c *Cache, m *metric.Opened, list []clips.Clip) *Cache
		clips  int // described
	}{
		{"the first time", func(c *Cache, _ *metric.Opened, _ []clips.Clip) *Cache { return first }, 3},
		{"again", func(c *Cache, _ *metric.Opened, _ []clips.Clip) *Cache { return first }, 1},
		{"and again", func(c *Cache, _ *metric.Opened, _ []clips.Clip) *Cache { return first }, 0},
		{"another process", func(c *Cache, _ *metric.Opened, _ []clips.Clip) *Cache { return c }, 1},
		{"other weights", func(c *Cache, m *metric.Opened, _ []clips.Clip) *Cache { m.Weights = "abd"; return c }, 3},
		{"another metric", func(c *Cache, m *metric.Opened, _ []clips.Clip) *Cache { m.Name = "glare"; return c }, 3},
		{"another backend", func(c *Cache, _ *metric.Opened, _ []clips.Clip) *Cache { c.Backend = "xla-cpu"; return c }, 3},
		{"another shape", func(c *Cache, _ *metric.Opened, list []clips.Clip) *Cache {
			list[2].Frames, list[2].Height = 1, 8
			return c
		}, 3},
		{"no network", func(c *Cache, m *metric.Opened, _ []clips.Clip) *Cache { m.Weights = ""; return c }, 3},
		{"no cache", func(c *Cache, _ *metric.Opened, _ []clips.Clip) *Cache { return nil }, 3},
	} {
		c, _ := openedCache(dir)
		m, n := cached(0)
		list := append([]clips.Clip(nil), list...)
		rows, err := tt.change(c, &m, list).features(m, list)
		if err != nil || !reflect.DeepEqual(rows, want) || *n != tt.clips {
			t.Errorf("%s: %v, %v, %d clips described, want %v and %d", tt.what, rows, err, *n, want, tt.clips)
		}
	}
	changed := bright(10, 20, 30)
	changed[1].Pix[31]++
	c, _ := openedCache(dir)
	m, n := cached(0)
	if rows, err := c.features(m, changed); err != nil || rows[1][0] == 20 || *n != 3 {
		t.Errorf("another pixel: %v, %v, %d clips described", rows, err, *n)
	}
	if said.Len() > 0 {
		t.Errorf("says %s", said)
	}
}

// A program that computes something else doesn't take what another one kept.
func TestFeaturesOfAnotherProgram(t *testing.T) {
	dir := t.TempDir()
	for _, plus := range []float32{0, 5} {
		c, said := openedCache(dir)
		m, n := cached(plus)
		for _, list := range [][]clips.Clip{bright(10, 20), bright(30, 40)} {
			rows, err := c.features(m, list)
			if want := float32(list[1].Pix[0]) + plus; err != nil || rows[1][0] != want {
				t.Errorf("plus %g: %v, %v, want %g", plus, rows, err, want)
			}
		}
		if plus == 5 && (*n != 5 || strings.Count(said.String(), "computes others") != 1) {
			t.Errorf("%d clips described, says %q, want 5 and one line", *n, said)
		}
	}
}

// A file that can't be read is made anew with a line, whatever happened to it.
func TestFeaturesThatAreDamaged(t *testing.T) {
	dir := t.TempDir()
	list := bright(10, 20)
	features := func() (rows [][]float32, said string) {
		c, log := openedCache(dir)
		m, _ := cached(0)
		rows, err := c.features(m, list)
		if err != nil {
			t.Fatal(err)
		}
		return rows, log.String()
	}
	want, _ := features()
	files, err := filepath.Glob(filepath.Join(dir, "*"+featuresEnd))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v, want one", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, []byte("text\n"), whole[:len(whole)/2], whole[:len(whole)-1]}
	for i := range whole {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		damaged = append(damaged, flipped)
	}
	for i, text := range damaged {
		if err := os.WriteFile(files[0], text, 0o644); err != nil {
			t.Fatal(err)
		}
		if rows, said := features(); !reflect.DeepEqual(rows, want) || !strings.Contains(said, files[0]) {
			t.Errorf("damage %d: %v, says %q, want %v and a line that names the file", i, rows, said, want)
		}
		if again, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(again, whole) {
			t.Errorf("damage %d: the file is not as before, %v", i, err)
		}
	}
}

// Numbers are alike up to rounding. One that isn't finite is like nothing.
func TestAlike(t *testing.T) {
	nan := float32(math.NaN())
	for _, tt := range []struct {
		a, b []float32
		want bool
	}{
		{[]float32{0, 0}, []float32{0, 0}, true},
		{[]float32{1000, 0}, []float32{1000, 0.9}, true},
		{[]float32{1000, 0}, []float32{1000, 1.1}, false},
		{[]float32{1, 2}, []float32{1}, false},
		{[]float32{1, nan}, []float32{1, nan}, false},
		{[]float32{1, 2}, []float32{1, nan}, false},
	} {
		if got := alike(tt.a, tt.b); got != tt.want {
			t.Errorf("%v and %v: %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

// A file under the name of another one is not taken, also where the first vectors of its metric were
// compared already, and whatever number of vectors it has.
func TestFeaturesUnderAnotherName(t *testing.T) {
	dir := t.TempDir()
	c, said := openedCache(dir)
	m, _ := cached(0)
	first, others := bright(10, 20), [][]clips.Clip{bright(30, 40), bright(50)}
	for _, list := range append(others, first, first) { // first is read once, and trusted
		if _, err := c.features(m, list); err != nil {
			t.Fatal(err)
		}
	}
	from, err := os.ReadFile(filepath.Join(dir, c.key(m, first)+featuresEnd))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range others {
		path := filepath.Join(dir, c.key(m, list)+featuresEnd)
		if err := os.WriteFile(path, from, 0o644); err != nil {
			t.Fatal(err)
		}
		rows, err := c.features(m, list)
		if err != nil || len(rows) != len(list) || rows[0][0] != float32(list[0].Pix[0]) {
			t.Errorf("%v, %v, want those of %d", rows, err, list[0].Pix[0])
		}
		if !strings.Contains(said.String(), path+": features of something else") {
			t.Errorf("says %q, want a line that names %s", said, path)
		}
	}
}

// Where nothing can be kept, it is said once, and the features are there.
func TestFeaturesThatCannotBeKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c, said := openedCache(filepath.Join(file, "features"))
	m, n := cached(0)
	for range 2 {
		if rows, err := c.features(m, bright(10)); err != nil || rows[0][0] != 10 {
			t.Errorf("%v, %v", rows, err)
		}
	}
	if *n != 2 || strings.Count(said.String(), "not kept") != 1 {
		t.Errorf("%d clips described, says %q, want 2 and one line of it", *n, said)
	}
}

// A report is the same with a cache, also the second time, when only the model's clips and one of
// each of the others are described.
func TestAReportFromTheCache(t *testing.T) {
	dir := t.TempDir()
	var first *Report
	// The model has 10 videos, in parts of 4, 4 and 2. The real clips are alike, and so are the
	// baseline's. So with a cache one part of 2 clips of each is described, one of 1 clip, and a clip
	// again to compare it.
	for i, clips := range []int{10 + 5 + 5, 10 + 2*(2+1) + 1, 10 + 1} {
		e := seeded(t)
		m, n := cached(0)
		m.Compare = brighter
		e.metrics, e.header.Metrics = []metric.Opened{m}, []metric.Info{m.Info}
		if i > 0 {
			e.Cache, _ = openedCache(dir)
		}
		var parts []*Part
		for _, r := range e.Parts() {
			p, err := e.Part(t.Context(), r, nil)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, p)
		}
		r, err := Sum(e.Header(), parts, map[string]metric.Compare{"brightness": brighter})
		if err != nil {
			t.Fatal(err)
		}
		r.SecondsPerClip, r.SecondsPerFrame = 0, 0
		if first == nil {
			first = r
		}
		if !reflect.DeepEqual(r, first) || r.Results[0].Scores["brightness"].Set == nil || *n != clips {
			t.Errorf("time %d: %d clips described, want %d and the same report", i, *n, clips)
		}
	}
}
