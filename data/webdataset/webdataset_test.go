package webdataset

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/npy"
	"mcvd/data/video"
)

func config(path string) *configs.Config {
	c := configs.Default()
	c.Data.Name, c.Data.Path, c.Data.Size, c.Data.Channels = "webdataset", path, 8, 3
	return c
}

func opened(c *configs.Config, split clips.Split, frames int) (clips.Dataset, error) {
	return Open(context.Background(), c, split, frames, slog.New(slog.DiscardHandler))
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// member is a file of a tar.
type member struct {
	name string
	b    []byte
}

func shard(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		err := w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.b))})
		if err == nil {
			_, err = w.Write(m.b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// grey is a PNG of one grey.
func grey(v uint8, width, height int) []byte {
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = v
	}
	img.SetGray(0, 0, color.Gray{v})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// array is an .npy file of frames of 8x8x3.
func array(frames int) []byte {
	text := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 8, 8, 3), }\n", frames)
	head := npy.Magic + "\x02\x00" + string([]byte{byte(len(text)), 0, 0, 0}) + text
	return append([]byte(head), make([]byte, frames*8*8*3)...)
}

// A shard that the Python library wrote has the frames that the library reads.
func TestShardOfTheLibrary(t *testing.T) {
	b, err := os.ReadFile("testdata/library.tar")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/library.json")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	d, err := opened(config(write(t, "train/x.tar", b)), clips.Train, 3)
	if err != nil || d.Len() != len(want) || len(want) != 4 {
		t.Fatal(d, err)
	}
	for i := range d.Len() {
		clip, err := d.Clip(i, 0, d.Frames(i))
		sum := sha256.Sum256(clip.Pix)
		_, key, _ := strings.Cut(d.Name(i), "train/x.tar:")
		if got := hex.EncodeToString(sum[:]); err != nil || got != want[key] {
			t.Errorf("%s: %s, %v, want %s", d.Name(i), got, err, want[key])
		}
		last, err := d.Clip(i, d.Frames(i)-1, 1)
		if err != nil || !bytes.Equal(last.Pix, clip.Slice(clip.Frames-1, clip.Frames).Pix) {
			t.Errorf("%s: the last frame alone differs, %v", d.Name(i), err)
		}
	}
}

// Images come by their numbers, wherever they lie, and are cropped and scaled; what is no frame is
// passed over.
func TestImages(t *testing.T) {
	b := shard(t, member{"__meta__", nil}, member{"k.9.png", grey(90, 30, 20)}, member{"k.json", []byte("{}")}, member{"k.10.png", grey(100, 30, 20)},
		member{"k.8.PNG", grey(80, 20, 40)}, member{"k.mask.png", grey(1, 8, 8)}, member{"other.txt", nil})
	d, err := opened(config(write(t, "train/a.tar", b)), clips.Train, 1)
	if err != nil || d.Len() != 1 || d.Frames(0) != 3 {
		t.Fatal(d, err)
	}
	clip, err := d.Clip(0, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range clip.Pix {
		if want := uint8(80 + 10*(i/clip.FrameSize())); v != want {
			t.Fatalf("byte %d is %d, want %d", i, v, want)
		}
	}
}

// Names that begin with two underscores are no samples, though they have a dot.
func TestUnderscoresAreNoSamples(t *testing.T) {
	d, err := opened(config(write(t, "train/a.tar", shard(t, member{"__meta__.npy", array(3)}, member{"k.npy", array(2)}))), clips.Train, 1)
	if err != nil || d.Len() != 1 || d.Name(0) != "train/a.tar:k" {
		t.Errorf("%v, %v, want k alone", d, err)
	}
}

// A shard that was written again since it was opened is an error, not other frames.
func TestAnotherShardIsRefused(t *testing.T) {
	dir := write(t, "train/a.tar", shard(t, member{"k.npy", array(2)}))
	d, err := opened(config(dir), clips.Train, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "train", "a.tar"), shard(t, member{"j.npy", array(40)}), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Clip(0, 0, 2); err == nil || !strings.Contains(err.Error(), "it had ") {
		t.Errorf("%v, want that the file is another", err)
	}
}

// An option that changes nothing is said to; elsewhere nothing is said.
func TestACropWithoutEffectIsSaid(t *testing.T) {
	for want, m := range map[bool]member{true: {"k.npy", array(2)}, false: {"k.0.png", grey(9, 8, 8)}} {
		var said bytes.Buffer
		c := config(write(t, "train/a.tar", shard(t, m)))
		c.Data.Options = configs.Options{"crop": "whole"}
		if _, err := Open(context.Background(), c, clips.Train, 1, slog.New(slog.NewTextHandler(&said, nil))); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(said.String(), "data.options.crop has no effect"); got != want {
			t.Errorf("%s: said %t, want %t: %s", m.name, got, want, &said)
		}
	}
}

// Data sets often lie on another disk: data.path and the folders of the splits may be links.
func TestLinksAreFollowed(t *testing.T) {
	elsewhere, dir := write(t, "sub/a.tar", shard(t, member{"k.npy", array(2)})), t.TempDir()
	for link, to := range map[string]string{"set": filepath.Join(elsewhere, "sub"), "train": filepath.Join(elsewhere, "sub"), "test": elsewhere} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		path, name string
		split      clips.Split
	}{
		{dir, "train/a.tar:k", clips.Train},
		{dir, "test/sub/a.tar:k", clips.Test},
		{filepath.Join(dir, "set"), "a.tar:k", clips.Train},
	} {
		c := config(want.path)
		if want.name == "a.tar:k" { // else a hash may give it to another split
			c.Data.Options = configs.Options{"valid": 0, "test": 0}
		}
		ds, err := opened(c, want.split, 1)
		if err != nil || ds.Len() != 1 || ds.Name(0) != want.name {
			t.Errorf("%v, %v, want %s", ds, err, want.name)
			continue
		}
		if _, err := ds.Clip(0, 0, 2); err != nil {
			t.Errorf("%s: %v", want.name, err)
		}
	}
}

func TestSplitsByHash(t *testing.T) {
	var members []member
	for i := range 40 {
		members = append(members, member{fmt.Sprintf("clip%d.npy", i), array(2)})
	}
	dir, seen := write(t, "a.tar", shard(t, members...)), map[string]bool{}
	for _, split := range clips.Splits() {
		d, err := opened(config(dir), split, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Len() {
			if seen[d.Name(i)] {
				t.Errorf("%s is in two splits", d.Name(i))
			}
			seen[d.Name(i)] = true
		}
	}
	if len(seen) != 40 {
		t.Errorf("%d samples in all splits, want 40", len(seen))
	}
}

func TestErrors(t *testing.T) {
	whole := shard(t, member{"a.npy", array(2)}, member{"b.npy", array(2)})
	for want, b := range map[string][]byte{
		"train/a.tar: not a readable video":                                  shard(t, member{"a.mp4", []byte("no video at all")}),
		"a second video file in the sample":                                  shard(t, member{"a.mp4", []byte("x")}, member{"a.mkv", []byte("x")}),
		"an array, numbered images and a video file":                         shard(t, member{"a.mp4", []byte("x")}, member{"a.npy", array(2)}),
		"want one kind in a data set":                                        shard(t, member{"a.mp4", []byte("x")}, member{"b.npy", array(2)}),
		"other samples lie between the files of sample a: sort them by name": shard(t, member{"a.0.png", grey(1, 8, 8)}, member{"b.txt", nil}, member{"a.1.png", grey(1, 8, 8)}),
		"it has image 1 twice":                                               shard(t, member{"a.1.png", grey(1, 8, 8)}, member{"a.01.png", grey(1, 8, 8)}),
		"image 3 comes after image 1":                                        shard(t, member{"a.1.png", grey(1, 8, 8)}, member{"a.3.png", grey(1, 8, 8)}),
		"two of an array, numbered images":                                   shard(t, member{"a.1.png", grey(1, 8, 8)}, member{"a.npy", array(1)}),
		"a second array":                                                     shard(t, member{"a.npy", array(1)}, member{"a.npy", array(1)}),
		"a.npy: an array of shape":                                           shard(t, member{"a.npy", array(2)[:300]}),
		"no readable tar":                                                    bytes.Repeat([]byte("text"), 400),
		"1 samples in *.tar, 1 of them without frames":                       shard(t, member{"a.txt", nil}),
		"cut off: no end of the tar behind 1 samples":                        whole[:1024],
		"cut off: no end of the tar behind 2 samples":                        whole[:2048],
		"train/a.tar: a.npy: cut off":                                        whole[:900],
	} {
		d, err := opened(config(write(t, "train/a.tar", b)), clips.Train, 1)
		if err == nil || d != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := opened(config(write(t, "train/a.tar.gz", whole)), clips.Train, 1); err == nil || !strings.Contains(err.Error(), "a compressed shard") {
		t.Errorf("compressed: %v", err)
	}
	c := config(write(t, "train/a.tar", whole))
	c.Data.Size = 16
	if _, err := opened(c, clips.Train, 1); err == nil || !strings.Contains(err.Error(), "frames of 8x8x3, want 16x16x3") {
		t.Errorf("another size: %v", err)
	}
	c = config(write(t, "train/a.tar", whole))
	c.Data.Options = configs.Options{"test": 0.3}
	if _, err := opened(c, clips.Train, 1); err == nil || !strings.Contains(err.Error(), "have no effect") {
		t.Errorf("shares with folders: %v", err)
	}
	d, err := opened(config(write(t, "train/a.tar", shard(t, member{"a.0.png", []byte("no image")}))), clips.Train, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Clip(0, 0, 1); err == nil || !strings.Contains(err.Error(), "image 0: not a readable image") {
		t.Errorf("a broken image: %v", err)
	}
}

// FuzzShard reads any bytes as a tar: errors, or frames that are there.
func FuzzShard(f *testing.F) {
	f.Add(shard(f, member{"a.npy", array(2)}, member{"b.0.png", grey(3, 8, 8)}, member{"b.1.png", grey(4, 8, 8)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		samples, err := index(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, s := range samples {
			if n := s.length(); n > len(b) {
				t.Fatalf("%d frames out of %d bytes", n, len(b))
			}
			if s.array != nil {
				if a := s.array; a.Start+int64(a.Frames*a.Height*a.Width*a.Channels) > int64(len(b)) {
					t.Fatalf("frames of %+v go past %d bytes", a, len(b))
				}
			} else if s.length() > 0 {
				s.read(bytes.NewReader(b), 0, clips.NewClip(s.length(), 8, 8, 3), video.DecodeOptions{Size: 8, Channels: 3})
			}
		}
	})
}
