package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
)

func TestChangesAndDamageAreDecodedAgain(t *testing.T) {
	root := t.TempDir()
	path := steps(t, filepath.Join(root, "a.mp4"), 6)
	c := config(root, all)
	d, _ := mustOpen(t, c, clips.Train, 2)
	raw := d.videos[0].path
	manifestPath := strings.TrimSuffix(raw, ".raw") + ".json"
	good, _ := os.ReadFile(raw)
	again := func(what string, frames int) {
		t.Helper()
		d, log := mustOpen(t, c, clips.Train, 2)
		if !strings.Contains(log, "decoding") || d.Frames(0) != frames {
			t.Errorf("%s: %d frames, want %d; log %s", what, d.Frames(0), frames, log)
		}
		if content, _ := os.ReadFile(d.videos[0].path); len(content) != frames*16*16*c.Data.Channels {
			t.Errorf("%s: %d bytes", what, len(content))
		}
		if _, log := mustOpen(t, c, clips.Train, 2); strings.Contains(log, "decoding") {
			t.Errorf("%s: decoded a second time", what)
		}
	}
	write(t, raw, string(good[:len(good)-1]))
	again("a short cache file", 6)
	write(t, raw, string(good[:len(good)-16*16]))
	again("a cache file that lacks a frame", 6)
	write(t, raw, string(good)+"x")
	again("a long cache file", 6)
	os.Remove(raw)
	again("a missing cache file", 6)
	write(t, manifestPath, `{"version": 1,`)
	again("a broken manifest", 6)
	write(t, filepath.Join(filepath.Dir(raw), atomicfile.Prefix+"123.raw"), "left by a killed process")
	steps(t, path, 9)
	again("another video of the same name", 9)
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(raw), atomicfile.Prefix+"*")); len(left) > 0 {
		t.Errorf("what a killed process left is still there: %v", left)
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	again("another time of change", 9)
	c.Data.Channels = 3
	again("other channels", 9)
	c.Data.FPS = 5
	again("another rate", 5)
	c.Data.FPS = 0
	c.Data.Options = configs.Options{"valid": 0.0, "test": 0.0, "crop": "whole"}
	again("another crop", 9)
	c.Data.Channels, c.Data.Options = 1, all
	if _, log := mustOpen(t, c, clips.Train, 2); strings.Contains(log, "decoding") {
		t.Error("settings of before were decoded again")
	}
}

func TestProcessesShareACache(t *testing.T) {
	root := t.TempDir()
	for i := range 4 {
		steps(t, filepath.Join(root, fmt.Sprintf("%d.mp4", i)), 6)
	}
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() {
			d, _, err := open(config(root, all), clips.Train, 2)
			if err == nil && d.Len() != 4 {
				err = fmt.Errorf("%d videos", d.Len())
			}
			if err == nil {
				_, err = d.Clip(3, 0, 6)
			}
			errs[i] = err
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	entries, _ := os.ReadDir(filepath.Join(root, ".mcvd-cache"))
	if len(entries) != 4*2+1 {
		t.Errorf("%d files in the cache, want two a video and the lock", len(entries))
	}
}

func TestCancelEndsDecodingAndLeavesNoHalves(t *testing.T) {
	root := t.TempDir()
	steps(t, filepath.Join(root, "a.mp4"), 6)
	for _, at := range []string{"before", "while waiting", "while decoding"} {
		ctx, cancel := context.WithCancel(context.Background())
		log := slog.New(slog.DiscardHandler)
		unlock := func() {}
		switch at {
		case "before":
			cancel()
		case "while waiting":
			c := cache{dir: filepath.Join(root, ".mcvd-cache"), log: log}
			var err error
			if unlock, err = c.lock(context.Background()); err != nil {
				t.Fatal(err)
			}
			log = slog.New(slog.NewTextHandler(&calling{"waiting for another", cancel}, nil))
		case "while decoding":
			log = slog.New(slog.NewTextHandler(&calling{"decoding videos", cancel}, nil))
		}
		d, err := Open(ctx, config(root, all), clips.Train, 2, log)
		unlock()
		if d != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("canceled %s: %v, %v", at, d, err)
		}
		entries, _ := os.ReadDir(filepath.Join(root, ".mcvd-cache"))
		for _, entry := range entries {
			if entry.Name() != "lock" {
				t.Errorf("canceled %s: %s is left", at, entry.Name())
			}
		}
		cancel()
	}
}

// calling is a log that calls a function at a line.

type calling struct {
	at string
	do func()
}

func (c *calling) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.at) {
		c.do()
	}
	return len(p), nil
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"source":"a.mp4","bytes":7,"modified":"2001-01-01T00:00:00Z","size":16,"channels":1,"fps":0,"crop":"center","frames":3}`))
	f.Add([]byte(`{"frames":-1}`))
	f.Add([]byte(`{"frames":1,"size":1,"channels":1,"more":1}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := readManifest(bytes.NewReader(content))
		if err == nil && (m.Frames < 1 || m.Size < 1 || m.Channels < 1) {
			t.Fatalf("accepted %+v", m)
		}
		if err != nil && m.Frames > 0 && m.Size > 0 && m.Channels > 0 {
			t.Fatalf("%v, but %+v", err, m)
		}
	})
}

func TestManifestIsReadStrictly(t *testing.T) {
	const good = `{"frames":1,"size":1,"channels":1}`
	if _, err := readManifest(strings.NewReader(good)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "null", good + good, `{"frames":1,"size":1,"channels":1,"sise":2}`, `{"frames":1.5,"size":1,"channels":1}`,
		`{"frames":0,"size":1,"channels":1}`} {
		if m, err := readManifest(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, m)
		}
	}
	if _, err := readManifest(io.MultiReader(strings.NewReader(good), strings.NewReader(strings.Repeat(" ", 1<<20)))); err != nil {
		t.Errorf("space behind: %v", err)
	}
}
