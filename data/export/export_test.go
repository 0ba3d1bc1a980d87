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
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/shards"
)

// made is video i: frames of 16x16 that no other video has.
func made(i, channels int) Video {
	c := clips.NewClip(2+i%3, 16, 16, channels)
	for k := range c.Pix {
		c.Pix[k] = uint8(k*(i+3) + k/7)
	}
	return Video{c, 10}
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

// An error in the middle leaves no file of many videos.
func TestAnErrorLeavesNothing(t *testing.T) {
	broken := errors.New("broken")
	for _, format := range []string{"hdf5", "webdataset"} {
		dir := t.TempDir()
		err := Write(context.Background(), format, dir, clips.Train, func(yield func(Video, error) bool) {
			if yield(made(0, 3), nil) {
				yield(Video{}, broken)
			}
		})
		left, _ := os.ReadDir(filepath.Join(dir, "train"))
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
