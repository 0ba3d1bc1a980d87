package bair

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models/paritytest"
)

func config(path string) *configs.Config {
	c := configs.Default()
	c.Data.Name, c.Data.Path, c.Data.Size, c.Data.Channels = "bair", path, 64, 3
	return c
}

func open(c *configs.Config, split clips.Split, frames int) (*Dataset, error) {
	return Open(context.Background(), c, split, frames, slog.New(slog.DiscardHandler))
}

// Every record has the recorded frames, whichever of training and validation has it.
func TestParityRecords(t *testing.T) {
	paritytest.Each(t, "dataset/softmotion30_44k/manifest.json", func(t *testing.T, path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, seen := map[string]string{}, 0
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		for _, split := range []clips.Split{clips.Train, clips.Valid} {
			d, err := open(config(filepath.Dir(path)), split, 2)
			if err != nil {
				t.Fatal(err)
			}
			for i := range d.Len() {
				clip, err := d.Clip(i, 0, d.Frames(i))
				sum := sha256.Sum256(clip.Pix)
				if got := hex.EncodeToString(sum[:]); err != nil || got != want[strconv.Itoa(d.videos[i].record)] {
					t.Errorf("%s: %s, %v", d.Name(i), got, err)
				}
				last, err := d.Clip(i, d.Frames(i)-1, 1)
				if err != nil || !slices.Equal(last.Pix, clip.Slice(clip.Frames-1, clip.Frames).Pix) {
					t.Errorf("%s: the last frame alone differs, %v", d.Name(i), err)
				}
				seen++
			}
		}
		if seen != len(want) || seen == 0 {
			t.Errorf("%d records, want %d", seen, len(want))
		}
	})
}

// records is BAIR's folder of the fixtures, with a change made to the bytes of its only file.
func records(t *testing.T, change func(b []byte) []byte) string {
	t.Helper()
	dir := t.TempDir()
	paritytest.Each(t, "dataset/softmotion30_44k/train/*.tfrecords", func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, "train"), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "train", "a.tfrecords"), change(b), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	return dir
}

func TestParityErrors(t *testing.T) {
	whole := func(b []byte) []byte { return b }
	camera := config(records(t, whole))
	camera.Data.Options = configs.Options{"camera": "main"}
	small := config("")
	small.Data.Size = 32
	grey := config("")
	grey.Data.Channels = 1
	for want, c := range map[string]*configs.Config{
		"data.path: ":         config(filepath.Join(t.TempDir(), "none")),
		"a.tfrecords: record": config(records(t, func(b []byte) []byte { return b[:len(b)-1] })),
		"a.tfrecords: record 0: damaged: checksum":                            config(records(t, func(b []byte) []byte { b[5000] ^= 1; return b })),
		"no *.tfrecords with records in it":                                   config(records(t, func([]byte) []byte { return nil })),
		"feature 0/image_main/encoded: 12 bytes, want the 12288 of 64x64 RGB": camera,
		"32, want 64, which frames of BAIR have":                              small,
		"1, want 3, which frames of BAIR have":                                grey,
	} {
		d, err := open(c, clips.Train, 2)
		if err == nil || d != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := open(config(records(t, whole)), clips.Train, 1000); err == nil || !strings.Contains(err.Error(), "want at least 1000") {
		t.Errorf("long clips: %v", err)
	}
	// Damage after the first record is found when a clip is read, and only there.
	damaged := config(records(t, func(b []byte) []byte { b[len(b)-100] ^= 1; return b }))
	failed := 0
	for _, split := range []clips.Split{clips.Train, clips.Valid} {
		d, err := open(damaged, split, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Len() {
			if _, err := d.Clip(i, 0, 1); err != nil && strings.Contains(err.Error(), "damaged") {
				failed++
			}
		}
	}
	if failed != 1 {
		t.Errorf("%d records are damaged, want 1", failed)
	}
}
