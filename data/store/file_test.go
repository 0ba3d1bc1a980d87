package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// small is the format of the files of these tests, and lengths are those of their videos.
var (
	small   = Format{Settings: "made", Height: 4, Width: 5, Channels: 3}
	lengths = []int{1, 7, 3, 16, 5}
)

// pixels is a frame of video i that no other frame equals.
func pixels(i, n int) []uint8 {
	rng := rand.New(rand.NewPCG(uint64(i), uint64(n)))
	p := bytes.Repeat([]uint8{uint8(i), uint8(n), uint8(rng.Uint32())}, 20)
	p[rng.IntN(len(p))] = uint8(rng.Uint32())
	return p
}

// several writes a file of several videos.
func several(t testing.TB, f Format) (path string, done Written) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a"+Extension)
	done, err := WriteFile(path, f, func(w *Writer) error {
		for i, n := range lengths {
			if _, err := w.Add(Source{Name: fmt.Sprint("video ", i)}, func(add func([]uint8) error) (float64, error) {
				for k := range n {
					if err := add(pixels(i, k)); err != nil {
						return 0, err
					}
				}
				return float64(i), nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path, done
}

// formats are the two forms of a file.
func formats() map[string]Format {
	zstd := small
	zstd.Chunk = 3
	return map[string]Format{"raw": small, "zstd": zstd}
}

func TestFilesOfManyVideosComeBack(t *testing.T) {
	for form, format := range formats() {
		path, done := several(t, format)
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if done != (Written{Videos: 5, Frames: 32, Bytes: f.Size(), Sum: f.Sum()}) || len(f.Entries()) != 5 || f.Format != format {
			t.Fatalf("%s: wrote %+v, read %+v", form, done, f.about)
		}
		rapid.Check(t, func(t *rapid.T) {
			i := rapid.IntRange(0, 4).Draw(t, "video")
			e := f.Entries()[i]
			start := rapid.IntRange(0, e.Frames-1).Draw(t, "start")
			pix := make([]uint8, rapid.IntRange(1, e.Frames-start).Draw(t, "frames")*small.FrameSize())
			if err := e.Read(start, pix); err != nil {
				t.Fatal(err)
			}
			for k := range len(pix) / small.FrameSize() {
				if !bytes.Equal(pix[k*small.FrameSize():][:small.FrameSize()], pixels(i, start+k)) {
					t.Fatalf("%s: frame %d of video %d is another", form, start+k, i)
				}
			}
			if e.Frames != lengths[i] || e.FPS != float64(i) || f.Source(i).Name != fmt.Sprint("video ", i) {
				t.Fatalf("%s: video %d: %+v of %+v", form, i, e, f.Source(i))
			}
		})
		again, _ := several(t, format)
		if !bytes.Equal(contents(t, path), contents(t, again)) {
			t.Errorf("%s: equal videos gave other bytes", form)
		}
	}
}

func contents(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever byte is another, a reading gives the right frame or an error. This holds for a file that
// is opened afterwards, and for one that was opened before.
func TestEveryFlippedByteIsNoticed(t *testing.T) {
	for form, format := range formats() {
		path, _ := several(t, format)
		before, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		good := contents(t, path)
		noticed := 0
		for at := range good {
			bad := slices.Clone(good)
			bad[at] ^= 1 << (at % 8)
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			found := false
			if after, err := OpenFile(path); err != nil {
				if !errors.Is(err, ErrDamaged) {
					t.Fatalf("%s: byte %d: %v, want damage", form, at, err)
				}
				found = true
			} else {
				found = damaged(t, after) > 0
			}
			if damaged(t, before) > 0 || found {
				noticed++
			}
			if !found {
				t.Fatalf("%s: byte %d of %d: nothing was noticed", form, at, len(good))
			}
		}
		t.Logf("%s: %d bytes, %d noticed", form, len(good), noticed)
	}
}

// damaged counts the frames that can't be read, and fails at one that is not what it was.
func damaged(t *testing.T, f *File) (count int) {
	t.Helper()
	size := small.FrameSize()
	for i, e := range f.Entries() {
		all := make([]uint8, e.Frames*size)
		whole := e.Read(0, all)
		for k := range e.Frames {
			pix, err := all[k*size:][:size], whole
			if whole != nil { // which frames are damaged?
				err = e.Read(k, pix)
			}
			switch {
			case err == nil && !bytes.Equal(pix, pixels(i, k)):
				t.Fatalf("frame %d of video %d was read, and is another", k, i)
			case err != nil && !errors.Is(err, ErrDamaged):
				t.Fatalf("frame %d of video %d: %v, want damage", k, i, err)
			case err != nil:
				count++
			}
		}
	}
	return count
}

// Broken names each frame that is damaged, and no other.
func TestBrokenNamesFrames(t *testing.T) {
	path, _ := several(t, small)
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := contents(t, path)
	for _, frame := range []int{11 + 2, 11 + 15} { // of video 3, which begins with frame 11
		bad[frame*small.FrameSize()+7] ^= 4
	}
	if err := os.WriteFile(path, bad, 0o644); err != nil {
		t.Fatal(err)
	}
	for i, e := range f.Entries() {
		var broken []int
		for k := range e.Broken() {
			broken = append(broken, k)
		}
		if want := map[int][]int{3: {2, 15}}[i]; !slices.Equal(broken, want) {
			t.Errorf("video %d: frames %v, want %v", i, broken, want)
		}
	}
}

// A whole file of other videos in the place of the one that was opened is damage, though each of
// its frames has the right checksum.
func TestAnotherFileIsNoticed(t *testing.T) {
	path, _ := several(t, small)
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := contents(t, path)
	for i := range small.FrameSize() {
		other[i] ^= 1
	}
	lengths := lengths
	if _, err := WriteFile(path, small, func(w *Writer) error {
		for _, n := range lengths {
			if _, err := w.Add(Source{}, func(add func([]uint8) error) (float64, error) {
				for range n {
					add(other[:small.FrameSize()])
				}
				return 0, nil
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.Entries()[0].Read(0, make([]uint8, small.FrameSize())); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v, want damage", err)
	}
}
