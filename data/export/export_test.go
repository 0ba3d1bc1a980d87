package export

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
	"mcvd/data/lerobot"
	"mcvd/data/shards"
)

// made is video i: frames of 16x16 that no other video has.
func made(i, channels int) Video {
	c := clips.NewClip(2+i%3, 16, 16, channels)
	for k := range c.Pix {
		c.Pix[k] = uint8(k*(i+3) + k/7)
	}
	return Video{c, 10, 0}
}

func some(n, channels int) Videos {
	return func(yield func(Video, error) bool) {
		for i := range n {
			if !yield(made(i, channels), nil) {
				return
			}
		}
	}
}

// What is written in the published layout is read by the data set of the published shards.
func TestHDF5IsReadAsPublishedShards(t *testing.T) {
	dir := t.TempDir()
	if err := Write(context.Background(), "hdf5", dir, clips.Test, some(21, 3)); err != nil {
		t.Fatal(err)
	}
	c := configs.Default()
	c.Data = configs.Data{Name: "shards", Path: dir, Size: 16, Channels: 3, Options: configs.Options{"layout": "bair"}}
	ds, err := shards.Open(context.Background(), c, clips.Test, 1, slog.New(slog.DiscardHandler))
	if err != nil || ds.Len() != 21 {
		t.Fatal(err)
	}
	for i := range ds.Len() {
		want := made(i, 3)
		got, err := ds.Clip(i, 0, ds.Frames(i))
		if err != nil || got.Frames != want.Frames || !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("video %d: %d frames, %v, or other ones", i, got.Frames, err)
		}
	}
}

// A tar has an NPY file for each video, in order.
func TestTarsHoldArrays(t *testing.T) {
	dir := t.TempDir()
	if err := Write(context.Background(), "webdataset", dir, clips.Train, some(3, 1)); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(dir, "train", "000000.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := tar.NewReader(file)
	for i := range 3 {
		h, err := r.Next()
		if err != nil || h.Name != fmt.Sprintf("%06d.npy", i) {
			t.Fatalf("%+v, %v", h, err)
		}
		content, err := io.ReadAll(r)
		want := made(i, 1)
		head := len(content) - len(want.Pix)
		text := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 16, 16, 1), }", want.Frames)
		if err != nil || head%64 != 0 || !bytes.HasPrefix(content, []byte("\x93NUMPY\x01\x00")) || int(content[8])+int(content[9])<<8 != head-10 ||
			!bytes.HasPrefix(content[10:], []byte(text)) || !bytes.Equal(content[head:], want.Pix) {
			t.Errorf("video %d: %q, %v", i, content[:min(len(content), 80)], err)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
}

// A tar has up to so many bytes of frames, and a video that is longer than that has one of its own.
func TestANewTarBeginsWhereOneIsFull(t *testing.T) {
	dir := t.TempDir()
	sizes := []int{2, 3, 4, 2, 3, 4} // frames of 256 bytes
	if err := writeTars(dir, clips.Train, some(len(sizes), 1), 5*256); err != nil {
		t.Fatal(err)
	}
	for number, want := range [][]string{{"000000.npy", "000001.npy"}, {"000002.npy"}, {"000003.npy", "000004.npy"}, {"000005.npy"}} {
		file, err := os.Open(filepath.Join(dir, "train", fmt.Sprintf("%06d.tar", number)))
		if err != nil {
			t.Fatal(err)
		}
		r := tar.NewReader(file)
		var names []string
		for h, err := r.Next(); err == nil; h, err = r.Next() {
			names = append(names, h.Name)
		}
		file.Close()
		if !slices.Equal(names, want) {
			t.Errorf("tar %d has %q, want %q", number, names, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "train", "000004.tar")); err == nil {
		t.Error("a fifth tar")
	}
	alone := t.TempDir()
	if err := writeTars(alone, clips.Train, some(2, 1), 100); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(alone, "train", "*.tar")); len(found) != 2 {
		t.Errorf("%d tars of videos that are larger than one, want 2", len(found))
	}
}

// An error in the middle leaves nothing, and what a kill has left is removed.
func TestAnErrorLeavesNothing(t *testing.T) {
	broken := errors.New("broken")
	for _, format := range Formats() {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, atomicfile.Prefix+"killed", "train", "000000.tar"), 0o755); err != nil {
			t.Fatal(err)
		}
		err := Write(context.Background(), format, dir, clips.Train, func(yield func(Video, error) bool) {
			if yield(made(0, 3), nil) {
				yield(Video{}, broken)
			}
		})
		left, _ := os.ReadDir(dir)
		if !errors.Is(err, broken) || len(left) > 0 {
			t.Errorf("%s: %v, and %v is left", format, err, left)
		}
		if err := Write(context.Background(), format, dir, clips.Train, some(0, 3)); err == nil {
			t.Errorf("%s: no videos, and no error", format)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := Write(ctx, format, dir, clips.Train, some(2, 3)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want that it was stopped", format, err)
		}
	}
}

// A folder that has some is refused: older videos would stay beside the new ones, and be read with them.
func TestAFolderWithVideosIsRefused(t *testing.T) {
	for _, format := range Formats() {
		dir := t.TempDir()
		if err := Write(context.Background(), format, dir, clips.Train, some(2, 3)); err != nil {
			t.Fatal(err)
		}
		err := Write(context.Background(), format, dir, clips.Train, some(1, 3))
		if err == nil || !strings.Contains(err.Error(), "it is there already") {
			t.Errorf("%s into a folder that has videos: %v", format, err)
		}
		if err := Write(context.Background(), format, dir, clips.Test, some(1, 3)); (err == nil) != (format == "hdf5" || format == "webdataset") {
			t.Errorf("%s, another split: %v", format, err)
		}
	}
}

// A recording is read by the data set of LeRobot's recordings, each video an episode.
func TestRecordingsAreRead(t *testing.T) {
	for _, channels := range []int{1, 3} {
		dir := t.TempDir()
		if err := writeRecording(context.Background(), dir, some(7, channels), 8*16*16*channels); err != nil {
			t.Fatal(err)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "videos", camera, "chunk-000", "*.mp4")); len(files) != 4 {
			t.Errorf("%q, want four MP4s for 2, 3, 4, 2, 3, 4 and 2 frames, with 8 or fewer in each", files)
		}
		c := configs.Default()
		c.Data = configs.Data{Name: "lerobot", Path: dir, Size: 16, Channels: channels, OnError: "fail",
			Options: configs.Options{"valid": 0, "test": 0}}
		ds, err := lerobot.Open(context.Background(), c, clips.Train, 1, slog.New(slog.DiscardHandler))
		if err != nil || ds.Len() != 7 || ds.FPS(0) != 10 {
			t.Fatal(err)
		}
		for i := range ds.Len() {
			want := made(i, channels)
			got, err := ds.Clip(i, 0, ds.Frames(i))
			if err != nil || got.Frames != want.Frames || !bytes.Equal(got.Pix, want.Pix) {
				t.Errorf("video %d of %d channels: %d frames, %v, or other ones", i, channels, got.Frames, err)
			}
		}
	}
}

// A recording is of one rate and size; one that fails leaves nothing.
func TestRecordingsOfTwoKindsAreRefused(t *testing.T) {
	for _, c := range []struct {
		second Video
		want   string
	}{{Video{made(1, 3).Clip, 25, 0}, "video 1: 25 frames a second, but the first video has 10"}, {made(1, 1), "video 1: frames of 16x16x1, but"}} {
		dir := t.TempDir()
		err := Write(context.Background(), "lerobot", dir, clips.Train, func(yield func(Video, error) bool) {
			if yield(made(0, 3), nil) {
				yield(c.second, nil)
			}
		})
		left, _ := os.ReadDir(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(left) > 0 {
			t.Errorf("error %v, want %s; %v is left", err, c.want, left)
		}
	}
}

// ofPersons are grey videos of KTH's persons, as in the order of its files.
func ofPersons(persons ...int) Videos {
	return func(yield func(Video, error) bool) {
		for i, person := range persons {
			v := made(i, 1)
			v.Person = person
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Grey videos of KTH have their list of persons, which the data set of the published shards reads.
func TestPersonsOfKTH(t *testing.T) {
	dir, persons := t.TempDir(), []int{3, 1, 3, 20, 21, 25, 21}
	if err := Write(context.Background(), "hdf5", dir, clips.Train, ofPersons(persons...)); err != nil {
		t.Fatal(err)
	}
	c := configs.Default()
	c.Data = configs.Data{Name: "shards", Path: filepath.Join(dir, "train"), Size: 16, Channels: 1, Options: configs.Options{"layout": "kth"}}
	for split, want := range map[clips.Split][]int{clips.Train: {1, 0, 2}, clips.Valid: {3}, clips.Test: {4, 6, 5}} {
		ds, err := shards.Open(context.Background(), c, split, 1, slog.New(slog.DiscardHandler))
		if err != nil || ds.Len() != len(want) {
			t.Fatalf("%s: %v, want videos %v", split, err, want)
		}
		for i, n := range want {
			got, err := ds.Clip(i, 0, ds.Frames(i))
			if err != nil || !bytes.Equal(got.Pix, made(n, 1).Pix) || clips.Person(ds, i) != persons[n] {
				t.Errorf("%s, video %d: %v, person %d, want video %d of person %d", split, i, err, clips.Person(ds, i), n, persons[n])
			}
		}
	}
	// With a video of nobody, a list would be wrong, and so would the one that is there.
	list := filepath.Join(dir, "train", "persons.pkl")
	if err := os.Remove(filepath.Join(dir, "train", "shard_0001.hdf5")); err != nil {
		t.Fatal(err)
	}
	if err := Write(context.Background(), "hdf5", dir, clips.Train, ofPersons(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(list); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a list with a video of nobody: %v", err)
	}
}
