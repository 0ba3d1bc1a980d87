package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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

// same says whether two entries are of one video in one file.
func same(a, b Entry) bool {
	return a.file.path == b.file.path && a.file.sum == b.file.sum && a.Frames == b.Frames && a.FPS == b.FPS && a.first == b.first
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
	if !ok || !same(found, e) || e.Frames != 300 || e.FPS != 12.5 {
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
	good, err := os.ReadFile(e.file.path)
	if err != nil {
		t.Fatal(err)
	}
	pix := make([]uint8, e.Frames*e.file.FrameSize())
	for at := range good {
		for _, bit := range []uint8{1, 0x80, 0xff} {
			bad := slices.Clone(good)
			bad[at] ^= bit
			if err := os.WriteFile(e.file.path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			_, ok := s.Find(v)
			reading := e.Read(0, pix)
			switch inFrames, inSums := at < len(pix), at < len(pix)+4*e.Frames; {
			case inFrames && (!ok || !errors.Is(reading, ErrDamaged) || !strings.Contains(reading.Error(), fmt.Sprintf("frame %d ", at/e.file.FrameSize()))):
				t.Fatalf("byte %d, of frame %d: found %t, reading %v, want damage of that frame", at, at/e.file.FrameSize(), ok, reading)
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
	good, err := os.ReadFile(e.file.path)
	if err != nil {
		t.Fatal(err)
	}
	pix := make([]uint8, 2*e.file.FrameSize())
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
		if err := os.WriteFile(e.file.path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(make([]byte, len(good)))
	check("all zeros", false)
	write(append(make([]byte, 5*e.file.FrameSize()), good[5*e.file.FrameSize():]...))
	check("frames of zeros", true)
	for _, n := range []int{0, 1, trailerSize, e.file.FrameSize(), len(good) / 4} {
		write(good[:n])
		check(fmt.Sprintf("cut to %d bytes", n), false)
	}
	os.Remove(e.file.path)
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
	if found, ok := s.Find(v); !ok || !same(found, e) || e.Verify() != nil {
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

// broken is a lock of a file system on which every call fails.
type broken struct{ err error }

func (b broken) TryLock() (bool, error) { return false, b.err }
func (b broken) TryLockContext(context.Context, time.Duration) (bool, error) {
	return false, b.err
}
func (b broken) Unlock() error { return b.err }

// On a file system without locks a store is written without one, and what others may be writing stays.
// Any other failure is an error.
func TestAFileSystemWithoutLocks(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, atomicfile.Prefix+"1")
	if err := os.WriteFile(left, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, failure := range []syscall.Errno{syscall.ENOTSUP, syscall.ENOSYS, syscall.EIO} {
		s := New(dir, quiet)
		s.lock = func(string) lock { return broken{&os.PathError{Op: "flock", Path: dir, Err: failure}} }
		unlock, err := s.Lock(context.Background())
		if failure == syscall.EIO {
			if !errors.Is(err, failure) {
				t.Errorf("%v: error %v", failure, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: error %v, want that the store goes on without a lock", failure, err)
			continue
		}
		unlock()
		if _, err := os.Stat(left); err != nil {
			t.Errorf("%v: a file that another process may be writing is gone: %v", failure, err)
		}
	}
}

// aVideo is an index of one video of frames of 1x1x1.
func aVideo(frames int) string {
	return fmt.Sprintf(`{"version":%d,"settings":"","height":1,"width":1,"channels":1,"chunk":0,"videos":[{"name":"a","frames":%d,"fps":0}]}`, version, frames)
}

// FuzzIndex looks for files on which reading panics, or takes much memory, and for accepted ones
// that don't hold what their index says. Where text isn't empty it ends the file as its about,
// under a trailer whose checksum is right.
func FuzzIndex(f *testing.F) {
	path := filepath.Join(f.TempDir(), "file"+Extension)
	for _, chunk := range []int{0, 3} {
		if _, err := WriteFile(path, Format{Height: 2, Width: 3, Channels: 3, Chunk: chunk}, func(w *Writer) error {
			_, err := w.Add(Source{Name: "a"}, fill(2))
			_, again := w.Add(Source{Name: "b"}, fill(4))
			return errors.Join(err, again)
		}); err != nil {
			f.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content, []byte{})
		f.Add(content[:len(content)-1], []byte{})
		length := binary.LittleEndian.Uint32(content[len(content)-trailerSize:])
		at := len(content) - trailerSize - int(length)
		f.Add(content[:at], content[at:at+int(length)])
	}
	f.Add([]byte(magic), []byte{})
	f.Add(make([]byte, 10), []byte(aVideo(2)))
	f.Add(make([]byte, 5), []byte(aVideo(1<<40)))
	f.Add(make([]byte, 5), []byte(strings.ReplaceAll(aVideo(1), ":1,", ":65536,")))
	f.Add(make([]byte, 40), []byte(strings.Replace(aVideo(3), `"chunk":0`, `"chunk":2`, 1)))
	f.Fuzz(func(t *testing.T, content, text []byte) {
		if len(text) > 0 {
			content = seal(content, text)
		}
		x, err := readIndex(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		file := &File{path: "file", size: int64(len(content)), index: x}
		file.list()
		if file.frames < 1 || file.FrameSize() < 1 || file.Chunk == 0 && file.frames*(file.FrameSize()+4)+trailerSize > len(content) {
			t.Fatalf("accepted %+v in %d bytes", x.about, len(content))
		}
		if file.FrameSize() > 1<<20 {
			return
		}
		pix := make([]uint8, file.FrameSize())
		for _, e := range file.entries {
			e.read(bytes.NewReader(content), e.Frames-1, pix)
		}
	})
}

// seal ends a file of frames and tables with an index.
func seal(data, text []byte) []byte {
	x := index{}
	if a, err := parseAbout(text); err == nil {
		x.about = a
		x.measure(bytes.NewReader(data), int64(len(data)))
	}
	start := min(max(x.data, 0), int64(len(data)))
	index := binary.LittleEndian.AppendUint32(slices.Concat(data[start:], text), uint32(len(text)))
	index = binary.LittleEndian.AppendUint32(index, crc32.Checksum(index, castagnoli))
	return slices.Concat(data[:start], index, []byte(magic))
}

// The sealed files of the fuzzing are really read.
func TestSealedFilesAreRead(t *testing.T) {
	file := seal(make([]byte, 10), []byte(aVideo(2)))
	if x, err := readIndex(bytes.NewReader(file), int64(len(file))); err != nil || x.frames != 2 {
		t.Errorf("%+v, %v", x, err)
	}
}

// Numbers of frames whose sum is as small as the file, but only because it overflows, are refused.
func TestFramesThatOverflowAreRefused(t *testing.T) {
	video := func(frames uint64) string { return fmt.Sprintf(`{"name":"a","frames":%d,"fps":0}`, frames) }
	const most = math.MaxInt64 // twice this, and 4, is 2
	text := fmt.Sprintf(`{"version":%d,"settings":"","height":1,"width":1,"channels":1,"chunk":0,"videos":[%s,%s,%s,%s]}`,
		version, video(2), video(most), video(most), video(2))
	file := seal(make([]byte, 10), []byte(text))
	if _, err := readIndex(bytes.NewReader(file), int64(len(file))); err == nil || !strings.Contains(err.Error(), "more frames than fit") {
		t.Errorf("error %v, want more frames than fit", err)
	}
}

func TestAboutIsReadStrictly(t *testing.T) {
	good := aVideo(1)
	if _, err := parseAbout([]byte(good + " ")); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "null", good + good, strings.Replace(good, `"settings"`, `"setings"`, 1), strings.Replace(good, `"frames":1`, `"frames":1.5`, 1),
		strings.Replace(good, `"frames":1`, `"frames":0`, 1), strings.Replace(good, `"width":1`, `"width":70000`, 1), strings.Replace(good, `"fps":0`, `"fps":-1`, 1),
		strings.Replace(good, `"chunk":0`, `"chunk":-1`, 1), strings.Replace(good, `"chunk":0`, `"chunk":268435457`, 1),
		strings.Replace(good, `"version":3`, `"version":2`, 1), good[:strings.Index(good, `,"videos"`)] + "}"} {
		if a, err := parseAbout([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, a)
		}
	}
}
