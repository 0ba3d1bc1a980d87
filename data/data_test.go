package data

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/data/augment"
	"mcvd/data/clips"
)

// fake is a data set whose clips say where they come from: the first pixel is the video, the second
// the start.
type fake struct {
	n     int
	bad   int // the video that can't be read, if above 0
	calls *atomic.Int64
}

func (f fake) Len() int          { return f.n }
func (f fake) Name(i int) string { return fmt.Sprintf("v%d.mp4", i) }
func (f fake) Frames(i int) int  { return 100 + i }

func (f fake) Clip(i, start, frames int) (clips.Clip, error) {
	if f.calls != nil {
		f.calls.Add(1)
	}
	if f.bad > 0 && i == f.bad {
		return clips.Clip{}, errors.New("gone")
	}
	if err := clips.CheckRange(f, i, start, frames); err != nil {
		return clips.Clip{}, err
	}
	c := clips.NewClip(frames, 1, 3, 1)
	c.Pix[0], c.Pix[1] = uint8(i), uint8(start)
	return c, nil
}

// batches are those of an experiment.
func batches(ds clips.Dataset, seed uint64, batch, frames int, flip bool) *Batches {
	return NewBatches(ds, experiment(seed, batch, frames, flip), slog.New(slog.DiscardHandler))
}

// experiment has settings that batches depend on; a clip that can't be read ends it.
func experiment(seed uint64, batch, frames int, flip bool) *configs.Config {
	c := configs.Default()
	c.Seed, c.Train.Batch, c.Data.Flip, c.Data.OnError = seed, batch, flip, "fail"
	c.Frames = configs.Frames{Current: frames}
	return c
}

// first is the byte at an offset of each clip of a batch.
func first(b Batch, offset int) (out []int) {
	size := len(b.Pix) / b.Batch
	for k := range b.Batch {
		out = append(out, int(b.Pix[k*size+offset]))
	}
	return out
}

func at(t *testing.T, b *Batches, n int) Batch {
	t.Helper()
	batch, err := b.At(n)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func equal(a, b Batch) bool {
	same := slices.Equal(a.Pix, b.Pix)
	a.Pix, b.Pix, a.free, b.free = nil, nil, nil, nil
	return same && fmt.Sprint(a) == fmt.Sprint(b)
}

func TestPermutationIsABijection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 5000)).Draw(t, "n")
		p := newPermutation(n, rapid.Uint64().Draw(t, "key"))
		seen := make([]bool, n)
		for i := range n {
			j := p.at(i)
			if j < 0 || j >= n || seen[j] {
				t.Fatalf("%d goes to %d, which is outside of 0 to %d or taken", i, j, n-1)
			}
			seen[j] = true
		}
	})
}

// With many keys every item is first equally often, and neighbours part.
func TestPermutationLooksRandom(t *testing.T) {
	const n, keys = 10, 20000
	var counts [n][n]float64
	for key := range uint64(keys) {
		p := newPermutation(n, hash(key))
		for i := range n {
			counts[i][p.at(i)]++
		}
	}
	for i, row := range counts {
		chi2 := 0.0
		for _, c := range row {
			chi2 += (c - keys/n) * (c - keys/n) / (keys / n)
		}
		if !(chi2 < 40) { // 9 degrees of freedom: 40 comes once in 100000 times
			t.Errorf("place %d: chi square %g of %v, want below 40", i, chi2, row)
		}
	}
}

func TestAnEpochHasEveryVideoOnce(t *testing.T) {
	b := batches(fake{n: 12}, 1, 4, 2, false)
	var orders [][]int
	for epoch := range 3 {
		var order []int
		for n := range 3 {
			order = append(order, first(at(t, b, 3*epoch+n), 0)...)
		}
		sorted := slices.Sorted(slices.Values(order))
		for i, v := range sorted {
			if v != i {
				t.Fatalf("epoch %d: %v, want every video once", epoch, order)
			}
		}
		orders = append(orders, order)
	}
	if slices.Equal(orders[0], orders[1]) || slices.Equal(orders[1], orders[2]) {
		t.Errorf("epochs have one order: %v", orders)
	}
	if other := batches(fake{n: 12}, 2, 12, 2, false); slices.Equal(first(at(t, other, 0), 0), orders[0]) {
		t.Error("seeds 1 and 2 have one order")
	}
}

func TestABatchDependsOnSeedAndNumberOnly(t *testing.T) {
	big, small := batches(fake{n: 7}, 5, 6, 3, true), batches(fake{n: 7}, 5, 3, 3, true)
	for n := range 10 {
		whole, a, b := at(t, big, n), at(t, small, 2*n), at(t, small, 2*n+1)
		if !slices.Equal(whole.Pix, slices.Concat(a.Pix, b.Pix)) {
			t.Errorf("batch %d of 6 differs from two of 3", n)
		}
	}
	if !equal(at(t, big, 4), at(t, big, 4)) {
		t.Error("batch 4 came out differently the second time")
	}
}

func TestBatchShapeAndValues(t *testing.T) {
	b := at(t, batches(fake{n: 3}, 1, 2, 4, false), 0)
	if b.Batch != 2 || b.Frames != 4 || b.Height != 1 || b.Width != 3 || b.Channels != 1 || len(b.Pix) != 2*4*3 {
		t.Errorf("%d values of %dx%dx%dx%dx%d", len(b.Pix), b.Batch, b.Frames, b.Height, b.Width, b.Channels)
	}
	if b.Pix[2] != 0 {
		t.Errorf("black is %d, want 0", b.Pix[2])
	}
}

func TestFlip(t *testing.T) {
	c := clips.Clip{Pix: []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, Frames: 2, Height: 1, Width: 2, Channels: 3}
	want := []uint8{4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9}
	if got := augment.Mirror(c); !slices.Equal(got.Pix, want) || c.Pix[0] != 1 {
		t.Errorf("%v, want %v and what was given left alone", got.Pix, want)
	}
	b := batches(fake{n: 255}, 3, 255, 1, true)
	flipped := 0
	for n := range 4 {
		batch := at(t, b, n)
		for k := range 255 { // the black pixel is the last one of three, or the first
			if batch.Pix[3*k] == 0 && batch.Pix[3*k+2] != 0 {
				flipped++
			}
		}
	}
	if !(math.Abs(float64(flipped)-510) < 5*math.Sqrt(1020)/2) {
		t.Errorf("%d of 1020 clips flipped, want about half", flipped)
	}
}

func TestEachIsAtInOrder(t *testing.T) {
	b := batches(fake{n: 10}, 1, 3, 2, true)
	for _, ahead := range []int{-1, 0, 1, 5} {
		n := 7 // as after a resume
		for batch, err := range b.Each(context.Background(), 7, ahead) {
			if err != nil || !equal(batch, at(t, b, n)) {
				t.Fatalf("ahead %d: batch %d differs, %v", ahead, n, err)
			}
			if n++; n == 20 {
				break
			}
		}
	}
}

func TestEachEndsCleanly(t *testing.T) {
	before := runtime.NumGoroutine()
	calls := new(atomic.Int64)
	b := batches(fake{n: 10, calls: calls}, 1, 1, 1, false)
	for range b.Each(context.Background(), 0, 8) {
		break
	}
	if n := calls.Load(); n > 9 {
		t.Errorf("%d batches made for one and 8 ahead", n)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop, n := errors.New("stop"), 0
	var last error
	for _, err := range b.Each(ctx, 0, 3) {
		last = err
		if n++; n == 5 {
			cancel(stop)
		}
	}
	if last != stop || n != 6 {
		t.Errorf("after the cancel: %d turns, the last with %v, want 6, %v", n, last, stop)
	}
	// A goroutine that is done is counted until it has been scheduled once more.
	for turn := 0; runtime.NumGoroutine() > before && turn < 1_000_000; turn++ {
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

func TestAnErrorNamesTheVideoAndEnds(t *testing.T) {
	b := batches(fake{n: 10, bad: 4}, 1, 2, 1, false)
	turns := 0
	var last error
	for _, err := range b.Each(context.Background(), 0, 2) {
		turns++
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "v4.mp4: gone") || turns > 5 {
		t.Errorf("%d turns, then %v", turns, last)
	}
}

// A setting that a data set doesn't use is refused where somebody wrote it, and left out where the
// experiment is shown; one that a base has, of which another data set was made, is no mistake.
func TestSettingsWithoutEffectAreRefused(t *testing.T) {
	catalogue := configs.Catalogue{Tables: Tables(), Check: Check}
	path := filepath.Join(t.TempDir(), "x.yml")
	load := func(text string, overrides ...string) (*configs.Config, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return catalogue.Load(path, overrides...)
	}
	_, err := load("data:\n  name: digits\n  path: nowhere/\n  fps: 0\n", "data.on_error=skip")
	for _, want := range []string{`x.yml:3:9: data.path: "nowhere/" has no effect because data.name is digits`,
		"x.yml:4:8: data.fps: 0 has no effect because", `override "data.on_error=skip": data.on_error: "skip" has no effect because`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	c, err := load("data: {path: clips/, fps: 5.0}\n", "data.name=digits")
	if err != nil {
		t.Fatalf("settings of a base: %v", err)
	}
	if text := string(c.YAML()); strings.Contains(text, "path:") || strings.Contains(text, "on_error:") || strings.Contains(text, "fps:") {
		t.Errorf("want none of the settings that have no effect in\n%s", text)
	}
	if _, err := catalogue.Parse("stored", []byte("data: {name: digits, path: x/}\n")); err != nil {
		t.Errorf("a stored setting without effect: %v", err)
	}
	if _, err := load("data: {name: folder, path: \"\"}\n"); err == nil || !strings.Contains(err.Error(), `x.yml:1:28: data.path: "", want the folder of data set folder`) {
		t.Errorf("no path: error %v", err)
	}
	for name, s := range sets {
		for _, path := range s.uses {
			if !slices.Contains(optional, path) {
				t.Errorf("data set %s uses %s, which every data set does", name, path)
			}
		}
	}
}

// Every data set of the table that needs no files opens, and gives clips of the configured shape.
func TestTable(t *testing.T) {
	if got := Names(); !slices.Equal(got, []string{"arrays", "bair", "cityscapes", "digits", "folder", "kinetics", "kth", "lerobot", "points", "shards", "smmnist", "store", "ucf101", "webdataset"}) {
		t.Errorf("%v", got)
	}
	c := configs.Default()
	c.Data.Name, c.Data.Size, c.Data.Channels = "digits", 32, 3
	for _, split := range clips.Splits() {
		ds, err := Open(context.Background(), c, split, 5, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		clip, err := Cut(ds, Fixed(ds, 1, 0, 5), 5)
		if err != nil || clip.Frames != 5 || clip.Height != 32 || clip.Width != 32 || clip.Channels != 3 {
			t.Errorf("%s: %+v, %v", split, clip, err)
		}
	}
	c.Data.Name = "folders"
	if _, err := Open(context.Background(), c, clips.Train, 5, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), `data.name: unknown "folders"`) {
		t.Errorf("unknown data set: %v", err)
	}
	c.Data.Name, c.Data.Path = "folder", t.TempDir()+"/missing"
	if ds, err := Open(context.Background(), c, clips.Train, 5, slog.New(slog.DiscardHandler)); err == nil || ds != nil || !strings.Contains(err.Error(), "data.path: ") {
		t.Errorf("missing folder: %v, %v", ds, err)
	}
}
