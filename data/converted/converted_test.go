package converted

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/store"
)

var quiet = slog.New(slog.DiscardHandler)

// fake is a data set of 4x4 grey frames that are functions of split, video and frame.
type fake struct {
	split clips.Split
	n     int
	shift uint8                                              // another shift is another data set with the same names
	clip  func(video, start, frames int) (clips.Clip, error) // instead of Clip's own; nil for that
}

func (f fake) Len() int          { return f.n }
func (f fake) Name(i int) string { return fmt.Sprintf("%s/%d.mp4", f.split, i) }
func (f fake) Frames(i int) int  { return 1 + i*7%13 }
func (f fake) FPS(i int) float64 { return float64(i % 3) }

func (f fake) Clip(i, start, frames int) (clips.Clip, error) {
	if f.clip != nil {
		return f.clip(i, start, frames)
	}
	c := clips.NewClip(frames, 4, 4, 1)
	for k := range c.Pix {
		c.Pix[k] = uint8(i*31+(start+k/16)*7+k%16+int(f.split[0])) + f.shift
	}
	return c, clips.CheckRange(f, i, start, frames)
}

// source converts fakes of 20 videos, in shards of up to 400 bytes, which are 25 frames.
func source(shift uint8) From {
	return From{
		Open: func(_ context.Context, split clips.Split) (clips.Dataset, error) {
			return fake{split: split, n: 20, shift: shift}, nil
		},
		Format: store.Format{Settings: "fake", Height: 4, Width: 4, Channels: 1}, Splits: clips.Splits(), ShardBytes: 400,
	}
}

func convert(dir string, from From) (Result, error) {
	return Convert(context.Background(), dir, from, 2, quiet, func(int, int) {})
}

// made is the folder of a store that was converted from a source.
func made(t testing.TB, from From) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := convert(dir, from); err != nil {
		t.Fatal(err)
	}
	return dir
}

func opened(dir string, split clips.Split, frames int) (*Dataset, error) {
	c := configs.Default()
	c.Data = configs.Data{Name: "store", Path: dir, Size: 4, Channels: 1}
	return Open(context.Background(), c, split, frames, quiet)
}

// contents is all files below a folder, by name.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// equal compares two folders.
func equal(t *testing.T, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s differs", name)
		}
	}
}

func TestAStoreHoldsWhatWasConverted(t *testing.T) {
	for _, chunk := range []int{0, 4} {
		from := source(0)
		from.Format.Chunk = chunk
		dir := made(t, from)
		for _, split := range clips.Splits() {
			want, _ := from.Open(context.Background(), split)
			got, err := opened(dir, split, 1)
			if err != nil || got.Len() != want.Len() {
				t.Fatalf("%s: %v, want %d videos", split, err, want.Len())
			}
			for i := range want.Len() {
				n := want.Frames(i)
				if got.Name(i) != want.Name(i) || got.Frames(i) != n || clips.FPS(got, i) != clips.FPS(want, i) {
					t.Errorf("video %d: %s of %d frames, want %s of %d", i, got.Name(i), got.Frames(i), want.Name(i), n)
				}
				for start := range n {
					a, errA := got.Clip(i, start, n-start)
					b, errB := want.Clip(i, start, n-start)
					if errA != nil || errB != nil || !bytes.Equal(a.Pix, b.Pix) || a.Height != 4 || a.Width != 4 || a.Channels != 1 {
						t.Fatalf("video %d from frame %d on: %v, %v, or other frames", i, start, errA, errB)
					}
				}
				if _, err := got.Clip(i, 1, n); err == nil {
					t.Errorf("video %d: frames after the end were read", i)
				}
			}
		}
		long, err := opened(dir, clips.Train, 10)
		if err != nil {
			t.Fatal(err)
		}
		for i := range long.Len() {
			if long.Frames(i) < 10 {
				t.Errorf("%s has %d frames, want 10 or more", long.Name(i), long.Frames(i))
			}
		}
	}
}

// Every frame is in one shard, and no shard with two videos or more is too large.
func TestPlan(t *testing.T) {
	from := source(0)
	var parts []part
	for _, split := range from.Splits {
		ds, _ := from.Open(context.Background(), split)
		p, err := newPart(split, ds, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	for _, size := range []int64{1, 100, 400, 1 << 40} {
		x, jobs := plan(parts, from.Format, size)
		next := map[clips.Split]int{}
		for _, j := range jobs {
			if j.first != next[j.part.split] {
				t.Fatalf("%s begins with video %d, want %d", j.Name, j.first, next[j.part.split])
			}
			next[j.part.split] += j.Videos
			if j.Videos > 1 && int64(j.Frames*16) > size {
				t.Errorf("%s has %d frames, which are more than %d bytes", j.Name, j.Frames, size)
			}
		}
		if next[clips.Train] != 20 || next[clips.Valid] != 20 || next[clips.Test] != 20 {
			t.Errorf("%d bytes: %v videos, want 20 of each split", size, next)
		}
		if again, _ := plan(parts, from.Format, size); again.isSame(x) != nil || x.isSame(again) != nil {
			t.Errorf("%d bytes: another plan the second time", size)
		}
	}
}

func TestAShardHasUpTo4096Videos(t *testing.T) {
	p, err := newPart(clips.Train, fake{split: clips.Train, n: 5000}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, jobs := plan([]part{p}, source(0).Format, 1<<40); len(jobs) != 2 || jobs[0].Videos != 4096 || jobs[1].first != 4096 || jobs[1].Videos != 904 {
		t.Errorf("%d shards, want one of 4096 videos and one of the other 904", len(jobs))
	}
}

// A whole shard of fewer videos than planned is not taken for done.
func TestAShardOfFewerVideosIsRefused(t *testing.T) {
	dir := made(t, source(0))
	path := filepath.Join(dir, "train", "00000.frames")
	f, err := store.OpenFile(path)
	if err != nil || len(f.Entries()) < 2 {
		t.Fatalf("%v, or fewer than two videos", err)
	}
	clip, _ := fake{split: clips.Train, n: 20}.Clip(0, 0, f.Entries()[0].Frames)
	if _, err := store.WriteFile(path, f.Format, func(w *store.Writer) error {
		_, err := w.Add(f.Source(0), func(add func([]uint8) error) (float64, error) {
			for k := range clip.Frames {
				if err := add(clip.Slice(k, k+1).Pix); err != nil {
					return 0, err
				}
			}
			return f.Entries()[0].FPS, nil
		})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := convert(dir, source(0)); err == nil || !strings.Contains(err.Error(), "holds other videos than the plan says") {
		t.Errorf("error %v, want that the shard is refused", err)
	}
}

func TestVideosAndFramesAreBounded(t *testing.T) {
	from := source(0)
	from.Videos, from.Frames = 3, 2
	ds, err := opened(made(t, from), clips.Valid, 1)
	if err != nil || ds.Len() != 3 || ds.Frames(0) != 1 || ds.Frames(1) != 2 {
		t.Fatalf("%v, want 3 videos of up to 2 frames", err)
	}
}

// A conversion that ends early leaves whole files only, and goes on with the same bytes.
func TestAConversionGoesOn(t *testing.T) {
	want := contents(t, made(t, source(0)))
	dir := filepath.Join(t.TempDir(), "store")
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	if _, err := Convert(ctx, dir, source(0), 1, quiet, func(done, of int) {
		if done == 3 {
			cancel(stop)
		}
	}); !errors.Is(err, stop) {
		t.Fatalf("%v, want that it was stopped", err)
	}
	if _, err := opened(dir, clips.Train, 1); err == nil || !strings.Contains(err.Error(), "its conversion did not end") {
		t.Errorf("%v: a part of a store was opened", err)
	}
	result, err := convert(dir, source(0))
	if err != nil || result.Kept != 3 {
		t.Errorf("%+v, %v, want 3 files kept", result, err)
	}
	equal(t, contents(t, dir), want)
	if result, err := convert(dir, source(0)); err != nil || result.Kept != result.Shards {
		t.Errorf("%+v, %v, want all files kept", result, err)
	}
	equal(t, contents(t, dir), want)
}

func TestADamagedFileIsWrittenAgainAndNamed(t *testing.T) {
	dir := made(t, source(0))
	want := contents(t, dir)
	path := filepath.Join(dir, "valid", "00001.frames")
	bad := []byte(want["valid/00001.frames"])
	bad[33] ^= 1
	if err := os.WriteFile(path, bad, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	result, err := Convert(context.Background(), dir, source(0), 1, slog.New(slog.NewTextHandler(&log, nil)), func(int, int) {})
	if err != nil || result.Kept != result.Shards-1 || !strings.Contains(log.String(), "shard is damaged and is written again") ||
		!strings.Contains(log.String(), "valid/00001.frames") {
		t.Errorf("%+v, %v, log %s", result, err, &log)
	}
	equal(t, contents(t, dir), want)
}

func TestAnotherSourceIsRefused(t *testing.T) {
	dir := made(t, source(0))
	for want, from := range map[string]func(*From){
		"its first frame is another":        func(f *From) { *f = source(1) },
		"its source had other settings":     func(f *From) { f.Format.Settings = "other" },
		"in chunks of 0, now they would be": func(f *From) { f.Format.Chunk = 2 },
		"its source had other videos":       func(f *From) { f.Videos = 19 },
		"a file of its source was changed":  func(f *From) { f.Path = t.TempDir(); os.WriteFile(filepath.Join(f.Path, "new"), nil, 0o644) },
		"shards, now there would be":        func(f *From) { f.ShardBytes = 800 },
	} {
		f := source(0)
		from(&f)
		if _, err := convert(dir, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	equal(t, contents(t, dir), contents(t, made(t, source(0))))
	other := t.TempDir()
	os.WriteFile(filepath.Join(other, "thesis.txt"), []byte("mine"), 0o644)
	if _, err := convert(other, source(0)); err == nil || !strings.Contains(err.Error(), "holds thesis.txt and is no store") {
		t.Errorf("error %v, want that the folder is refused", err)
	}
}

// A change is noticed wherever links lead: the source's folder and folders in it may be links.
func TestAChangeBehindALinkIsNoticed(t *testing.T) {
	files, root := t.TempDir(), t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	for _, err := range []error{
		os.WriteFile(filepath.Join(files, "a"), []byte("text"), 0o644),
		os.Symlink(files, filepath.Join(root, "train")),
		os.Symlink(root, link),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	direct, err := fingerprint(root)
	if linked, again := fingerprint(link); err != nil || again != nil || linked != direct {
		t.Errorf("%s by a link, %v, want %s, %v", linked, again, direct, err)
	}
	if err := os.WriteFile(filepath.Join(files, "a"), []byte("other text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{root, link} {
		if now, err := fingerprint(path); err != nil || now == direct {
			t.Errorf("%s: a changed file is not noticed (%v)", path, err)
		}
	}
}

// A data set that draws something for each clip is not stored in pieces that don't fit together.
func TestFramesThatDependOnTheStartAreRefused(t *testing.T) {
	from := source(0)
	from.Format.Height, from.Format.Width = 4096, 4096
	from.Open = func(_ context.Context, split clips.Split) (clips.Dataset, error) {
		return fake{split: split, n: 2, clip: func(_, start, frames int) (clips.Clip, error) {
			c := clips.NewClip(frames, 4096, 4096, 1)
			for i := range c.Pix {
				c.Pix[i] = uint8(start)
			}
			return c, nil
		}}, nil
	}
	if _, err := convert(filepath.Join(t.TempDir(), "store"), from); err == nil || !strings.Contains(err.Error(), "depends on where a clip begins") {
		t.Errorf("error %v, want that it is refused", err)
	}
}

func TestOtherSettingsAreNamedOneByOne(t *testing.T) {
	got := difference(`{"Name":"folder","Size":64,"Options":{"crop":"center","valid":0.1}}`, `{"Name":"folder","Size":32,"Options":{"crop":"whole","valid":0.1,"cache":"x"}}`)
	if want := "data.options.cache was <nil>, now it is x; data.options.crop was center, now it is whole; data.size was 64, now it is 32"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	dir := made(t, source(0))
	for want, change := range map[string]func(*configs.Config){
		"data.size: 8, want 4":                         func(c *configs.Config) { c.Data.Size = 8 },
		"data.channels: 3, want 1":                     func(c *configs.Config) { c.Data.Channels = 3 },
		"no converted store":                           func(c *configs.Config) { c.Data.Path = filepath.Dir(dir) },
		"data.options.crop":                            func(c *configs.Config) { c.Data.Options = configs.Options{"crop": "center"} },
		"no usable video: 20 found, the longest of 13": nil,
	} {
		c, frames := configs.Default(), 1
		c.Data = configs.Data{Name: "store", Path: dir, Size: 4, Channels: 1}
		if change == nil {
			frames = 14
		} else {
			change(c)
		}
		if _, err := Open(context.Background(), c, clips.Train, frames, quiet); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Whatever byte of a store is another, a clip is what it was, or an error.
func TestAFlippedByteGivesNoOtherFrame(t *testing.T) {
	for _, chunk := range []int{0, 4} {
		from := source(0)
		from.Format.Chunk, from.ShardBytes = chunk, 2000
		dir := made(t, from)
		files := contents(t, dir)
		var names []string
		for name, text := range files {
			if len(text) > 0 {
				names = append(names, name)
			}
		}
		want, _ := from.Open(context.Background(), clips.Train)
		rng := rand.New(rand.NewPCG(1, 2))
		refused := 0
		for range 100 {
			name := names[rng.IntN(len(names))]
			bad := []byte(files[name])
			bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
			if err := os.WriteFile(filepath.Join(dir, name), bad, 0o644); err != nil {
				t.Fatal(err)
			}
			_, broken, err := Verify(context.Background(), dir, 1)
			if err != nil || len(broken) == 0 {
				t.Fatalf("%s: %v: verifying did not notice", name, err)
			}
			if ds, err := opened(dir, clips.Train, 1); err != nil {
				refused++
			} else {
				for i := range ds.Len() {
					got, err := ds.Clip(i, 0, ds.Frames(i))
					right, _ := want.Clip(i, 0, want.Frames(i))
					if err != nil {
						refused++
					} else if !bytes.Equal(got.Pix, right.Pix) || ds.Name(i) != want.Name(i) {
						t.Fatalf("%s: video %d is another, without an error", name, i)
					}
				}
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if refused == 0 {
			t.Error("nothing was ever refused")
		}
	}
}
