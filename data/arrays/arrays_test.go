package arrays

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/npy"
)

func config(path string, o configs.Options) *configs.Config {
	c := configs.Default()
	c.Data.Name, c.Data.Path, c.Data.Size, c.Data.Channels, c.Data.Options = "arrays", path, 8, 1, o
	return c
}

func opened(c *configs.Config, split clips.Split, frames int) (*Dataset, error) {
	return Open(context.Background(), c, split, frames, slog.New(slog.DiscardHandler))
}

// file is an .npy file.
func file(kind, fortran string, pix []uint8, shape ...int) []byte {
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]")
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s,), }\n", kind, fortran, list)
	return append([]byte(npy.Magic+"\x02\x00"+string([]byte{byte(len(text)), 0, 0, 0})+text), pix...)
}

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
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

// pixel is a pattern that tells videos, frames and places apart.
func pixel(n, t, h, w, c int) uint8 { return uint8(n*101 + t*37 + h*11 + w*3 + c*7) }

// pattern fills an array of axes, the last of which changes fastest.
func pattern(axes string, sizes map[rune]int) (pix []uint8, shape []int) {
	total := 1
	for _, axis := range axes {
		shape = append(shape, sizes[axis])
		total *= sizes[axis]
	}
	for i := range total {
		at, rest := map[rune]int{}, i
		for k := len(axes) - 1; k >= 0; k-- {
			at[rune(axes[k])] = rest % shape[k]
			rest /= shape[k]
		}
		pix = append(pix, pixel(at['n'], at['t'], at['h'], at['w'], at['c']))
	}
	return pix, shape
}

// Whatever the axes, every pixel of a clip is that of its video, frame and place.
func TestAxes(t *testing.T) {
	for axes, channels := range map[string]int{"nthwc": 3, "nthw": 1, "tnhw": 1, "thwc": 3, "thw": 1} {
		pix, shape := pattern(axes, map[rune]int{'n': 3, 't': 5, 'h': 8, 'w': 8, 'c': channels})
		c := config(write(t, t.TempDir(), "train/a.npy", file("|u1", "False", pix, shape...)), configs.Options{"axes": axes})
		c.Data.Channels = channels
		d, err := opened(c, clips.Train, 5)
		if err != nil {
			t.Fatalf("%s: %v", axes, err)
		}
		if want := map[bool]int{true: 3, false: 1}[strings.Contains(axes, "n")]; d.Len() != want || d.Frames(0) != 5 {
			t.Fatalf("%s: %d videos of %d frames, want %d of 5", axes, d.Len(), d.Frames(0), want)
		}
		for n := range d.Len() {
			clip, err := d.Clip(n, 1, 3)
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range clip.Pix {
				at := i / channels
				if want := pixel(n, 1+at/64, at/8%8, at%8, i%channels); got != want {
					t.Fatalf("%s: video %d, byte %d is %d, want %d", axes, n, i, got, want)
				}
			}
		}
	}
}

// archive is an .npz file.
func archive(t *testing.T, method uint16, members ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: string(rune('a'+i)) + ".npy", Method: method})
		if err == nil {
			_, err = f.Write(m)
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

func TestArchives(t *testing.T) {
	pix, shape := pattern("thw", map[rune]int{'t': 5, 'h': 8, 'w': 8})
	whole := file("|u1", "False", pix, shape...)
	dir := write(t, t.TempDir(), "test/x.npz", archive(t, zip.Store, whole, file("<i8", "False", make([]byte, 80), 10)))
	d, err := opened(config(dir, configs.Options{"axes": "thw", "array": "a"}), clips.Test, 5)
	if err != nil || d.Len() != 1 || d.Name(0) != "test/x.npz:a" {
		t.Fatal(d, err)
	}
	if clip, err := d.Clip(0, 0, 5); err != nil || !bytes.Equal(clip.Pix, pix) {
		t.Errorf("frames differ, %v", err)
	}
	for want, o := range map[string]configs.Options{
		"an array of <i8, want bytes from 0 to 255": {"axes": "thw"},
		`no array "c" in it, but ["a" "b"]`:         {"axes": "thw", "array": "c"},
	} {
		if _, err := opened(config(dir, o), clips.Test, 5); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	packed := write(t, t.TempDir(), "test/x.npz", archive(t, zip.Deflate, whole))
	if _, err := opened(config(packed, configs.Options{"axes": "thw"}), clips.Test, 5); err == nil || !strings.Contains(err.Error(), "write it with numpy.savez,") {
		t.Errorf("compressed: %v", err)
	}
}

func TestSplitsByHash(t *testing.T) {
	pix, shape := pattern("nthw", map[rune]int{'n': 40, 't': 2, 'h': 8, 'w': 8})
	dir := write(t, t.TempDir(), "all.npy", file("|u1", "False", pix, shape...))
	seen := map[string]bool{}
	for _, split := range clips.Splits() {
		d, err := opened(config(dir, configs.Options{"axes": "nthw"}), split, 2)
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
		t.Errorf("%d videos in all splits, want 40", len(seen))
	}
}

func TestErrors(t *testing.T) {
	pix, _ := pattern("nthw", map[rune]int{'n': 1, 't': 2, 'h': 8, 'w': 8})
	axes := configs.Options{"axes": "nthw"}
	for want, b := range map[string][]byte{
		"an array of <f4, want bytes":     file("<f4", "False", pix, 1, 2, 4, 4),
		"Fortran's order":                 file("|u1", "True", pix, 1, 2, 8, 8),
		"want 4 axes, nthw":               file("|u1", "False", pix, 2, 8, 8),
		"empty, or cut off":               file("|u1", "False", pix[1:], 1, 2, 8, 8),
		"of 64 bytes, want the 128":       file("|u1", "False", pix, 1, 1, 8, 8),
		"[0 2 8 8] in 0 bytes: empty":     file("|u1", "False", nil, 0, 2, 8, 8),
		"in 128 bytes: empty, or cut off": file("|u1", "False", pix, 1<<40, 1<<40, 8, 8),
		"frames of 4x8x1, want 8x8x1":     file("|u1", "False", pix, 1, 4, 4, 8),
		"no .npy file":                    []byte("PK\x03\x04 and more"),
		"the longest of 2 frames":         file("|u1", "False", pix, 1, 2, 8, 8),
	} {
		_, err := opened(config(write(t, t.TempDir(), "train/a.npy", b), axes), clips.Train, 3)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	dir := write(t, t.TempDir(), "train/a.npy", file("|u1", "False", pix, 1, 2, 8, 8))
	if _, err := opened(config(dir, configs.Options{"axes": "nthw", "valid": 0.3}), clips.Train, 2); err == nil || !strings.Contains(err.Error(), "have no effect") {
		t.Errorf("shares with folders: %v", err)
	}
	colour := config(dir, axes)
	colour.Data.Channels = 3
	if err := Check(colour); err == nil || !strings.Contains(err.Error(), "3, want 1: arrays of axes nthw have no channels") {
		t.Errorf("channels: %v", err)
	}
	d, err := opened(config(dir, axes), clips.Train, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Clip(0, 1, 2); err == nil {
		t.Error("frames after the end: no error")
	}
	write(t, dir, "train/a.npy", []byte("short"))
	if _, err := d.Clip(0, 0, 2); err == nil || !strings.Contains(err.Error(), "5 bytes, it had") {
		t.Errorf("a file that has changed: %v", err)
	}
}

// FuzzArchive opens any bytes as an .npz file.
func FuzzArchive(f *testing.F) {
	pix, shape := pattern("thw", map[rune]int{'t': 2, 'h': 8, 'w': 8})
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if m, err := w.CreateHeader(&zip.FileHeader{Name: "a.npy"}); err == nil {
		m.Write(file("|u1", "False", pix, shape...))
	}
	w.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := members(bytes.NewReader(b), int64(len(b)), "x.npz", Options{Axes: "thw"})
		if err != nil {
			return
		}
		for _, a := range found {
			frames := make([]byte, a.Frames.Frames*a.Height*a.Width)
			if n, _ := bytes.NewReader(b).ReadAt(frames, a.Start); n != len(frames) {
				t.Errorf("%s: %d bytes of frames, want %d", a.name, n, len(frames))
			}
		}
	})
}

// Data sets often lie on another disk: data.path and the folders of the splits may be links.
func TestLinksAreFollowed(t *testing.T) {
	pix, shape := pattern("thw", map[rune]int{'t': 3, 'h': 8, 'w': 8})
	elsewhere := write(t, t.TempDir(), "sub/a.npy", file("|u1", "False", pix, shape...))
	dir := t.TempDir()
	for link, to := range map[string]string{"set": filepath.Join(elsewhere, "sub"), "train": filepath.Join(elsewhere, "sub"), "test": elsewhere} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		path, name string
		split      clips.Split
	}{
		{dir, "train/a.npy", clips.Train},
		{dir, "test/sub/a.npy", clips.Test},
		{filepath.Join(dir, "set"), "a.npy", clips.Train},
	} {
		ds, err := opened(config(want.path, configs.Options{"axes": "thw"}), want.split, 1)
		if err != nil || ds.Len() != 1 || ds.Name(0) != want.name {
			t.Errorf("%v, %v, want %s", ds, err, want.name)
			continue
		}
		if c, err := ds.Clip(0, 0, 3); err != nil || !bytes.Equal(c.Pix, pix) {
			t.Errorf("%s: %v, or other frames", want.name, err)
		}
	}
}

// A setting is named as it is written.
func TestChannelsAreNamedAsASetting(t *testing.T) {
	c := config("x", configs.Options{"axes": "thw"})
	c.Data.Channels = 3
	if err := Check(c); err == nil || !strings.HasPrefix(err.Error(), "data.channels: 3, want 1") {
		t.Errorf("%v, want it to begin with data.channels", err)
	}
	pix, shape := pattern("thwc", map[rune]int{'t': 1, 'h': 8, 'w': 8, 'c': 1})
	c.Data.Path, c.Data.Options = write(t, t.TempDir(), "a.npy", file("|u1", "False", pix, shape...)), configs.Options{"axes": "thwc"}
	if _, err := opened(c, clips.Train, 1); err == nil || !strings.Contains(err.Error(), "by data.size and data.channels:") {
		t.Errorf("%v, want data.channels in it", err)
	}
}

// An option that changes nothing is said to; elsewhere nothing is said.
func TestAnArrayWithoutEffectIsSaid(t *testing.T) {
	pix, shape := pattern("thw", map[rune]int{'t': 5, 'h': 8, 'w': 8})
	whole := file("|u1", "False", pix, shape...)
	for name, want := range map[string]bool{"test/x.npy": true, "test/x.npz": false} {
		b, said := whole, bytes.Buffer{}
		if filepath.Ext(name) == ".npz" {
			b = archive(t, zip.Store, whole)
		}
		c := config(write(t, t.TempDir(), name, b), configs.Options{"axes": "thw", "array": "a"})
		if _, err := Open(context.Background(), c, clips.Test, 5, slog.New(slog.NewTextHandler(&said, nil))); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(said.String(), "data.options.array has no effect"); got != want {
			t.Errorf("%s: said %t, want %t: %s", name, got, want, &said)
		}
	}
}
