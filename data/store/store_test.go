package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcvd/configs/atomicfile"
)

var quiet = slog.New(slog.DiscardHandler)

// clip is a video of 2x3 frames of 3 channels.
func clip(name string) Video {
	return Video{Name: name, Settings: "3 center", Bytes: 7, Modified: time.Unix(1e9, 5), Height: 2, Width: 3, Channels: 3}
}

// frame is frame i of every test video.
func frame(i int) []uint8 { return bytes.Repeat([]uint8{uint8(i), uint8(i >> 8), 3}, 6) }

// fill makes so many frames at 12.5 a second.
func fill(frames int) func(add func([]uint8) error) (float64, error) {
	return func(add func([]uint8) error) (float64, error) {
		for i := range frames {
			if err := add(frame(i)); err != nil {
				return 0, err
			}
		}
		return 12.5, nil
	}
}

func put(t *testing.T, s *Store, v Video, frames int) Entry {
	t.Helper()
	unlock, err := s.Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	e, err := s.Put(v, fill(frames))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestFramesComeBack(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "made", "anew"), quiet)
	v := clip("a.mp4")
	if _, ok := s.Find(v); ok {
		t.Fatal("found before there was anything")
	}
	e := put(t, s, v, 300)
	found, ok := s.Find(v)
	if !ok || found != e || e.Frames != 300 || e.FPS != 12.5 {
		t.Fatalf("found %+v, %t, want %+v of 300 frames at 12.5 a second", found, ok, e)
	}
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.IntRange(0, 299).Draw(t, "start")
		n := rapid.IntRange(1, 300-start).Draw(t, "frames")
		pix := make([]uint8, n*v.FrameSize())
		if err := found.Read(start, pix); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if got := pix[i*v.FrameSize():][:v.FrameSize()]; !slices.Equal(got, frame(start+i)) {
				t.Fatalf("frame %d is %v", start+i, got)
			}
		}
	})
	for _, bad := range [][2]int{{-1, 1}, {299, 2}, {300, 1}} {
		if err := e.Read(bad[0], make([]uint8, bad[1]*v.FrameSize())); err == nil || errors.Is(err, ErrDamaged) {
			t.Errorf("%d frames from %d on: error %v, want one that isn't damage", bad[1], bad[0], err)
		}
	}
	if err := e.Read(0, make([]uint8, 5)); err == nil {
		t.Error("a part of a frame was read")
	}
}

// What the frames were made of must be as it was.
func TestOtherSourcesAndSettingsAreNotFound(t *testing.T) {
	s := New(t.TempDir(), quiet)
	v := clip("a.mp4")
	put(t, s, v, 3)
	for name, change := range map[string]func(v *Video){
		"name":     func(v *Video) { v.Name = "b.mp4" },
		"settings": func(v *Video) { v.Settings = "3 whole" },
		"bytes":    func(v *Video) { v.Bytes++ },
		"time":     func(v *Video) { v.Modified = v.Modified.Add(time.Nanosecond) },
		"height":   func(v *Video) { v.Height, v.Width = v.Width, v.Height },
		"channels": func(v *Video) { v.Channels = 1 },
	} {
		other := v
		change(&other)
		if _, ok := s.Find(other); ok {
			t.Errorf("another %s: found all the same", name)
		}
	}
	elsewhere := v
	elsewhere.Modified = v.Modified.In(time.FixedZone("east", 3600))
	if _, ok := s.Find(elsewhere); !ok {
		t.Error("not found in another time zone")
	}
	strange := clip("\xff\xfe.mp4") // names needn't be UTF-8
	put(t, s, strange, 2)
	if e, ok := s.Find(strange); !ok || e.Frames != 2 {
		t.Errorf("a strange name: %+v, %t", e, ok)
	}
}

// No bit of a file can change unnoticed: frames at their reading, all else when the video is looked
// for.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	s := New(t.TempDir(), quiet)
	v := clip("a.mp4")
	e := put(t, s, v, 5)
	good, err := os.ReadFile(e.path)
	if err != nil {
		t.Fatal(err)
	}
	pix := make([]uint8, e.Frames*e.frameSize)
	for at := range good {
		for _, bit := range []uint8{1, 0x80, 0xff} {
			bad := slices.Clone(good)
			bad[at] ^= bit
			if err := os.WriteFile(e.path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			_, ok := s.Find(v)
			reading := e.Read(0, pix)
			switch inFrames, inSums := at < len(pix), at < len(pix)+4*e.Frames; {
			case inFrames && (!ok || !errors.Is(reading, ErrDamaged) || !strings.Contains(reading.Error(), fmt.Sprintf("frame %d ", at/e.frameSize))):
				t.Fatalf("byte %d, of frame %d: found %t, reading %v, want damage of that frame", at, at/e.frameSize, ok, reading)
			case !inFrames && ok:
				t.Fatalf("byte %d, of the index: found all the same", at)
			case inSums && !errors.Is(e.Verify(), ErrDamaged):
				t.Fatalf("byte %d: verified all the same", at)
			}
		}
	}
}

func TestDamageOfTheWholeFile(t *testing.T) {
	s := New(t.TempDir(), quiet)
	v := clip("a.mp4")
	e := put(t, s, v, 5)
	good, err := os.ReadFile(e.path)
	if err != nil {
		t.Fatal(err)
	}
	pix := make([]uint8, 2*e.frameSize)
	check := func(what string, found bool) {
		t.Helper()
		if _, ok := s.Find(v); ok != found {
			t.Errorf("%s: found %t, want %t", what, ok, found)
		}
		if err := e.Read(1, pix); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: reading gives %v, want damage", what, err)
		}
		if err := e.Verify(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: verifying gives %v, want damage", what, err)
		}
	}
	write := func(content []byte) {
		if err := os.WriteFile(e.path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(make([]byte, len(good)))
	check("all zeros", false)
	write(append(make([]byte, 5*e.frameSize), good[5*e.frameSize:]...))
	check("frames of zeros", true)
	for _, n := range []int{0, 1, trailerSize, e.frameSize, len(good) / 4} {
		write(good[:n])
		check(fmt.Sprintf("cut to %d bytes", n), false)
	}
	os.Remove(e.path)
	check("deleted", false)
}

func TestAFailedPutLeavesWhatWasThere(t *testing.T) {
	s := New(t.TempDir(), quiet)
	v := clip("a.mp4")
	e := put(t, s, v, 4)
	broken := errors.New("broken")
	for name, decode := range map[string]func(add func([]uint8) error) (float64, error){
		"broken":        func(add func([]uint8) error) (float64, error) { return 0, errors.Join(add(frame(9)), broken) },
		"no frames":     func(func([]uint8) error) (float64, error) { return 0, nil },
		"another size":  func(add func([]uint8) error) (float64, error) { return 0, add(make([]uint8, 17)) },
		"endless names": nil,
	} {
		w := v
		if decode == nil {
			w.Name, decode = strings.Repeat("x", maxAbout), fill(1)
		}
		if _, err := s.Put(w, decode); err == nil || name == "broken" && !errors.Is(err, broken) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if found, ok := s.Find(v); !ok || found != e || e.Verify() != nil {
		t.Errorf("afterwards %+v, %t, want what was there", found, ok)
	}
	if entries, _ := os.ReadDir(s.dir); len(entries) != 2 {
		t.Errorf("%v in the store, want the video and the lock", entries)
	}
}

func TestLockRemovesLeftoversAndPutThoseOfVersion1(t *testing.T) {
	s := New(t.TempDir(), quiet)
	v := clip("a.mp4")
	left := filepath.Join(s.dir, atomicfile.Prefix+"123.frames")
	others := []string{s.base(v) + ".raw", s.base(v) + ".json", left, filepath.Join(s.dir, "mine.json")}
	for _, path := range others {
		if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, v, 1)
	for i, path := range others {
		if _, err := os.Stat(path); (err == nil) != (i == 3) {
			t.Errorf("%s: %v, want all gone but the last", path, err)
		}
	}
}

func TestLockWaitsAndEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	unlock, err := New(dir, quiet).Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New(dir, quiet).Lock(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	unlock()
	again, err := New(dir, quiet).Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	again()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(filepath.Join(dir, "file", "below"), quiet).Lock(context.Background()); err == nil {
		t.Error("a store below a file was locked")
	}
}

// FuzzIndex looks for files on which reading the index panics, or takes much memory, and for
// accepted ones that don't hold what their index says. Where text isn't empty it ends the file as
// its about, under a trailer whose checksum is right.
func FuzzIndex(f *testing.F) {
	s := New(f.TempDir(), quiet)
	e, err := s.Put(clip("a.mp4"), fill(2))
	if err != nil {
		f.Fatal(err)
	}
	content, err := os.ReadFile(e.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content, []byte{})
	f.Add(content[:len(content)-1], []byte{})
	f.Add([]byte(magic), []byte{})
	f.Add(make([]byte, 10), []byte(`{"frames":2,"height":1,"width":1,"channels":1}`))
	f.Add(make([]byte, 5), []byte(`{"frames":1099511627776,"height":65536,"width":65536,"channels":65536}`))
	f.Fuzz(func(t *testing.T, content, text []byte) {
		if len(text) > 0 {
			content = seal(content, text)
		}
		a, err := readIndex(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			if a != (about{}) {
				t.Fatalf("%v, but %+v", err, a)
			}
			return
		}
		size := a.Height * a.Width * a.Channels
		if a.Frames < 1 || size < 1 || a.Frames*(size+4)+trailerSize > len(content) {
			t.Fatalf("accepted %+v in %d bytes", a, len(content))
		}
	})
}

// seal ends a file of frames and sums with an index.
func seal(data, text []byte) []byte {
	sums := data
	if a, err := parseAbout(text); err == nil {
		sums = data[min(uint(len(data)), uint(a.Frames)*uint(a.Height)*uint(a.Width)*uint(a.Channels)):]
	}
	index := binary.LittleEndian.AppendUint32(slices.Concat(sums, text), uint32(len(text)))
	index = binary.LittleEndian.AppendUint32(index, crc32.Checksum(index, castagnoli))
	return slices.Concat(data[:len(data)-len(sums)], index, []byte(magic))
}

// The sealed files of the fuzzing are really read.
func TestSealedFilesAreRead(t *testing.T) {
	file := seal(make([]byte, 10), []byte(`{"frames":2,"height":1,"width":1,"channels":1}`))
	if a, err := readIndex(bytes.NewReader(file), int64(len(file))); err != nil || a.Frames != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAboutIsReadStrictly(t *testing.T) {
	const good = `{"frames":1,"height":1,"width":1,"channels":1}`
	if _, err := parseAbout([]byte(good + " ")); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "null", good + good, strings.Replace(good, "1}", `1,"sise":2}`, 1), strings.Replace(good, "1", "1.5", 1),
		strings.Replace(good, "1", "0", 1), strings.Replace(good, `"width":1`, `"width":70000`, 1), strings.Replace(good, "1}", `1,"fps":-1}`, 1)} {
		if a, err := parseAbout([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, a)
		}
	}
}
