package shards

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models/paritytest"
)

// recorded is what a manifest says of a clip.
type recorded struct {
	Frames int
	Shape  []int
	SHA256 string
}

// entry is what a manifest says of a file.
type entry struct {
	Expect           string
	Clips            []recorded
	Train, Test      []int
	TestCropped      []recorded `json:"test_cropped"`
	TrainCropColumns []int      `json:"train_crop_columns"`
}

// manifest reads the entries of shards: lists of clips, or objects with more.
func manifest(t *testing.T, path string) map[string]entry {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	out := map[string]entry{}
	for name, text := range raw {
		if !strings.HasSuffix(name, ".hdf5") {
			continue
		}
		var e entry
		if json.Unmarshal(text, &e.Clips) == nil {
			e.Expect = "read"
		} else if err := json.Unmarshal(text, &e); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = e
	}
	if len(out) == 0 {
		t.Fatalf("%s: no shards", path)
	}
	return out
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// single opens the videos of one shard, whatever its name.
func single(t *testing.T, path string) ([]video, error) {
	t.Helper()
	dir := t.TempDir()
	whole, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(whole, filepath.Join(dir, "shard_0001.hdf5")); err != nil {
		t.Fatal(err)
	}
	opened, videos, err := openAll(dir, ".")
	t.Cleanup(func() { closeAll(opened) })
	return videos, err
}

// Every clip of every shard has the recorded checksum.
func TestParityShards(t *testing.T) {
	for _, pattern := range []string{"dataset/manifest.json", "dataset/extra/manifest.json"} {
		paritytest.Each(t, pattern, func(t *testing.T, path string) {
			clipsRead := 0
			for name, e := range manifest(t, path) {
				videos, err := single(t, filepath.Join(filepath.Dir(path), name))
				if e.Expect == "refuse" {
					if err == nil && len(videos) > 0 {
						err = videos[0].read(0, clips.NewClip(1, 64, 64, 3))
					}
					if err == nil {
						t.Errorf("%s: read, want it refused", name)
					}
					continue
				}
				if err != nil || len(videos) != len(e.Clips) {
					t.Fatalf("%s: %d videos, %v, want %d", name, len(videos), err, len(e.Clips))
				}
				for i, want := range e.Clips {
					if want.Frames == 0 && videos[i].frames == 0 {
						continue
					}
					clip := clips.NewClip(want.Frames, want.Shape[0], want.Shape[1], len(want.Shape)*2-3) // 3 axes have 3 channels
					if err := videos[i].read(0, clip); err != nil || videos[i].frames != want.Frames || sum(clip.Pix) != want.SHA256 {
						t.Errorf("%s: video %d of %d frames: %s, %v, want %d, %s", name, i, videos[i].frames, sum(clip.Pix), err, want.Frames, want.SHA256)
					}
					clipsRead++
				}
			}
			t.Logf("%d clips equal", clipsRead)
		})
	}
}

func config(path, layout string, size, channels int) *configs.Config {
	c := configs.Default()
	c.Data.Name, c.Data.Path, c.Data.Size, c.Data.Channels = "shards", path, size, channels
	c.Data.Options = configs.Options{"layout": layout}
	return c
}

func open(t *testing.T, c *configs.Config, split clips.Split) *Dataset {
	t.Helper()
	d, err := Open(context.Background(), c, split, 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func numbers(d *Dataset) (out []int) {
	for _, v := range d.videos {
		out = append(out, v.number)
	}
	return out
}

// Splits have the videos of the published code in its order, but for what validation takes from
// training, and videos without frames.
func TestParitySplits(t *testing.T) {
	paritytest.Each(t, "dataset/extra/manifest.json", func(t *testing.T, path string) {
		for name, e := range manifest(t, path) {
			layout, channels := "kth", 1
			if strings.HasPrefix(name, "UCF101") {
				layout, channels = "ucf101", 3
			}
			if e.Train == nil {
				continue
			}
			c := config(filepath.Dir(filepath.Join(filepath.Dir(path), name)), layout, 64, channels)
			empty := func(i int) bool { return e.Clips[i].Frames == 0 }
			test, train, valid := open(t, c, clips.Test), open(t, c, clips.Train), open(t, c, clips.Valid)
			if want := slices.DeleteFunc(slices.Clone(e.Test), empty); !slices.Equal(numbers(test), want) {
				t.Errorf("%s: test has %v, want %v", name, numbers(test), want)
			}
			learned := slices.DeleteFunc(slices.Clone(e.Train), func(i int) bool { return empty(i) || slices.Contains(numbers(valid), i) })
			if !slices.Equal(numbers(train), learned) || valid.Len() < 1 || train.Len()+valid.Len() != len(slices.DeleteFunc(slices.Clone(e.Train), empty)) {
				t.Errorf("%s: training has %v, validation %v, want together %v", name, numbers(train), numbers(valid), e.Train)
			}
			for i, want := range e.TestCropped {
				clip, err := test.Clip(i, 0, want.Frames)
				if err != nil || sum(clip.Pix) != want.SHA256 {
					t.Errorf("%s: %s cropped: %s, %v, want %s", name, test.Name(i), sum(clip.Pix), err, want.SHA256)
				}
			}
			if e.TrainCropColumns != nil {
				columns := map[int]bool{}
				for start := range 2000 {
					columns[(clips.WideCrop{Size: train.size, Random: train.random}).Column(0, start)] = true
				}
				for column := range 64 {
					if want := e.TrainCropColumns[0] <= column && column <= e.TrainCropColumns[1]; columns[column] != want {
						t.Errorf("%s: training crops at column %d: %t, want %t", name, column, columns[column], want)
					}
				}
			}
		}
	})
}

// BAIR's videos of two shards come one after the other.
func TestParityFolders(t *testing.T) {
	paritytest.Each(t, "dataset/BAIR_h5", func(t *testing.T, path string) {
		c := config(path, "bair", 32, 3)
		want := map[clips.Split][]string{
			clips.Train: {"train/shard_0001.hdf5:0", "train/shard_0001.hdf5:1", "train/shard_0001.hdf5:2", "train/shard_0002.hdf5:0"},
			clips.Valid: {"train/shard_0002.hdf5:1"},
			clips.Test:  {"test/shard_0001.hdf5:0", "test/shard_0001.hdf5:1"},
		}
		for split, names := range want {
			d := open(t, c, split)
			var got []string
			for i := range d.Len() {
				got = append(got, d.Name(i))
			}
			if !slices.Equal(got, names) {
				t.Errorf("%s: %v, want %v", split, got, names)
			}
			whole, err := d.Clip(0, 0, 8)
			if err != nil {
				t.Fatal(err)
			}
			if part, err := d.Clip(0, 3, 2); err != nil || !slices.Equal(part.Pix, whole.Slice(3, 5).Pix) {
				t.Errorf("%s: frames 3 and 4 differ from those of the whole video, %v", split, err)
			}
		}
	})
}

func TestMistakesAreNamed(t *testing.T) {
	paritytest.Each(t, "dataset/BAIR_h5", func(t *testing.T, path string) {
		empty := t.TempDir()
		for want, c := range map[string]*configs.Config{
			"data.channels: 1, want 3, which frames of layout bair have":                config(path, "bair", 32, 1),
			"shard_0001.hdf5:0: frame 0: shape [32 32 3], want [64 64 3], by data.size": config(path, "bair", 64, 3),
			"train: no such file or directory":                                          config(empty, "cityscapes", 32, 3),
			"no shard_*.hdf5 in it":                                                     config(empty, "ucf101", 32, 3),
			`data.options.layout: "robots"`:                                             config(path, "robots", 32, 3),
			"no num_train, which the published code writes into":                        config(filepath.Join(path, "train"), "ucf101", 32, 3),
			"persons.pkl: no such file or directory":                                    config(filepath.Join(path, "train"), "kth", 32, 1),
		} {
			d, err := Open(context.Background(), c, clips.Train, 1, slog.New(slog.DiscardHandler))
			if err == nil || d != nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %s", err, want)
			}
		}
		_, err := Open(context.Background(), config(path, "bair", 32, 3), clips.Test, 30, slog.New(slog.DiscardHandler))
		if want := "split test: no usable video: 2 found, the longest of 8 frames, want at least 30"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		d := open(t, config(path, "bair", 32, 3), clips.Test)
		if _, err := d.Clip(0, 7, 2); err == nil {
			t.Error("frames after the end: no error")
		}
	})
}

// A dictionary as protocol 4 writes it, and as protocol 2 does, with numbers of several sizes.
func TestUnpickle(t *testing.T) {
	for _, b := range []string{
		"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00}\x94(K\x01]\x94(K\x02M\x2c\x01eK\x15]\x94J\x00\x00\x01\x00au.",
		"\x80\x02}q\x00(K\x01]q\x01(K\x02M\x2c\x01eK\x15]q\x02J\x00\x00\x01\x00au.",
	} {
		got, err := unpickle([]byte(b))
		if err != nil || len(got) != 2 || !slices.Equal(got[1], []int{2, 300}) || !slices.Equal(got[21], []int{65536}) {
			t.Errorf("%v, %v", got, err)
		}
		for cut := range len(b) {
			if _, err := unpickle([]byte(b[:cut])); err == nil {
				t.Errorf("cut off after %d of %d bytes: no error", cut, len(b))
			}
		}
	}
	if _, err := unpickle([]byte("\x80\x02cos\nsystem\n.")); err == nil || !strings.Contains(err.Error(), "opcode 0x63") {
		t.Errorf("a call: error %v", err)
	}
}

func TestPersonsMustFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "persons.pkl")
	for want, b := range map[string]string{
		"person 26, want 1 to 25":            "\x80\x02}(K\x1a]K\x00au.",
		"person 1: video 3, want 0 to 2":     "\x80\x02}(K\x01]K\x03au.",
		"video 0 is listed twice":            "\x80\x02}(K\x01](K\x00K\x00eu.",
		"no dictionary of lists of integers": "\x80\x02K\x01.",
	} {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readPersons(path, 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Whatever the bytes are, reading ends with a dictionary or an error.
func FuzzUnpickle(f *testing.F) {
	f.Add([]byte("\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00}\x94(K\x01]\x94(K\x02M\x2c\x01eK\x15]\x94J\x00\x00\x01\x00au."))
	f.Add([]byte("\x80\x02}q\x00(h\x00h\x00s."))
	f.Fuzz(func(t *testing.T, b []byte) {
		persons, err := unpickle(b)
		if (err == nil) != (persons != nil) {
			t.Fatalf("persons %v and error %v", persons, err)
		}
		total := 0
		for _, numbers := range persons {
			total += len(numbers)
		}
		// A list may stand at as many places as there are keys.
		if total > len(b)*len(b) {
			t.Errorf("%d numbers out of %d bytes", total, len(b))
		}
		if err == nil && checkPersons(persons, 600) == nil && total > 600 {
			t.Errorf("%d of 600 videos have a person", total)
		}
	})
}
