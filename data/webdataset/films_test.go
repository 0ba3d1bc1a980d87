package webdataset

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/video"
)

// film is a lossless video of which frame i has the grey first + 10 i.
func film(t *testing.T, name string, first, frames int) []byte {
	t.Helper()
	c := clips.NewClip(frames, 16, 16, 1)
	for i := range c.Pix {
		c.Pix[i] = uint8(first + 10*(i/c.FrameSize()))
	}
	path := filepath.Join(t.TempDir(), name)
	if err := video.WriteClip(context.Background(), path, c, video.WriterOptions{FPS: 12, Quality: video.Lossless}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Video files are decoded where they lie in a shard: each sample has its own frames, and what is
// broken or too short is left out.
func TestFilmsInAShard(t *testing.T) {
	b := shard(t, member{"a.txt", []byte("one")}, member{"a.mp4", film(t, "a.mp4", 0, 5)}, member{"b.mp4", []byte("no video")},
		member{"c.gif", film(t, "c.gif", 100, 4)}, member{"d.MP4", film(t, "d.mp4", 50, 7)}, member{"e.mp4", film(t, "e.mp4", 50, 2)}, member{"f.txt", nil})
	dir := write(t, "train/x,y: z.tar", b)
	var log bytes.Buffer
	c := config(dir)
	c.Data.Channels = 1
	for range 2 { // decoded, and from the cache
		log.Reset()
		d, err := Open(context.Background(), c, clips.Train, 3, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || d.Len() != 3 {
			t.Fatalf("%v\n%s", err, &log)
		}
		for i, want := range []struct {
			key           string
			first, frames int
		}{{"a", 0, 5}, {"c", 100, 4}, {"d", 50, 7}} {
			clip, err := d.Clip(i, 0, d.Frames(i))
			if err != nil || d.Name(i) != "train/x,y: z.tar:"+want.key || clip.Frames != want.frames {
				t.Fatalf("%s: %d frames, %v, want %+v", d.Name(i), clip.Frames, err, want)
			}
			for k, v := range clip.Pix {
				if diff := int(v) - want.first - 10*(k/clip.FrameSize()); diff < -2 || diff > 2 {
					t.Fatalf("%s: byte %d is %d", want.key, k, v)
				}
			}
		}
		for _, said := range []string{`without=1`, `z.tar:b" reason=`, `video="train/x,y: z.tar:e" reason="2 frames`} {
			if !strings.Contains(log.String(), said) {
				t.Errorf("no %s in\n%s", said, &log)
			}
		}
	}
	c.Data.OnError = "fail"
	if _, err := opened(c, clips.Train, 3); err == nil || !strings.Contains(err.Error(), "z.tar:b: ") {
		t.Errorf("data.on_error: fail: error %v", err)
	}
}

func TestPatternsOfShards(t *testing.T) {
	for pattern, want := range map[string][]string{
		"a.tar":                      {"a.tar"},
		"s-{08..10}.tar":             {"s-08.tar", "s-09.tar", "s-10.tar"},
		"{0..1}/s{2..3}.tar":         {"0/s2.tar", "0/s3.tar", "1/s2.tar", "1/s3.tar"},
		"{9..9}":                     {"9"},
		"{0..1}{":                    nil,
		"a}":                         nil,
		"{1..0}":                     nil,
		"{-1..0}":                    nil,
		"{a..b}":                     nil,
		"{a,b}":                      nil,
		"{0..1000000}":               nil,
		"{0..99999}{0..99999}":       nil,
		"{0..9999999999999999999}.t": nil,
	} {
		got, err := expand(pattern)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: %q, %v, want %q", pattern, got, err, want)
		}
	}
}

// A pattern names the shards that are read, of which none may be missing; a hash divides them, whatever
// folders there are.
func TestShardsOfAPattern(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "train"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		b := shard(t, member{fmt.Sprintf("k%d.npy", i), array(2)})
		if err := os.WriteFile(filepath.Join(dir, "train", fmt.Sprintf("s-%02d.tar", i)), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := config(dir)
	c.Data.Options = configs.Options{"shards": "train/s-{01..02}.tar", "valid": 0, "test": 0}
	d, err := opened(c, clips.Train, 2)
	if err != nil || d.Len() != 2 || d.Name(0) != "train/s-01.tar:k1" || d.Name(1) != "train/s-02.tar:k2" {
		t.Errorf("%v, %v, want two shards", d, err)
	}
	for pattern, want := range map[string]string{"train/s-{01..04}.tar": "s-04.tar: not there, but data.options.shards names it", "train/s-{01..04.tar": "data.options.shards"} {
		c.Data.Options["shards"] = pattern
		if _, err := opened(c, clips.Train, 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", pattern, err, want)
		}
	}
}
