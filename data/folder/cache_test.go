package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	"mcvd/data/decoded"
	"mcvd/data/store"
)

// cacheFile is the file of the only video in a root's cache.
func cacheFile(t *testing.T, root string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, ".mcvd-cache", "*.frames"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q in the cache, want one file of frames", found)
	}
	return found[0]
}

func TestChangesAndDamageAreDecodedAgain(t *testing.T) {
	root := t.TempDir()
	path := steps(t, filepath.Join(root, "a.mp4"), 6)
	c := config(root, all)
	mustOpen(t, c, clips.Train, 2)
	file := cacheFile(t, root)
	good, _ := os.ReadFile(file)
	again := func(what string, frames int) {
		t.Helper()
		d, log := mustOpen(t, c, clips.Train, 2)
		if !strings.Contains(log, "decoding") || strings.Contains(log, "level=WARN") || d.Frames(0) != frames {
			t.Errorf("%s: %d frames, want %d; log %s", what, d.Frames(0), frames, log)
		}
		if clip, err := d.Clip(0, frames-1, 1); err != nil || clip.Channels != c.Data.Channels {
			t.Errorf("%s: %v", what, err)
		}
		if _, log := mustOpen(t, c, clips.Train, 2); strings.Contains(log, "decoding") {
			t.Errorf("%s: decoded a second time", what)
		}
	}
	write(t, file, string(good[:len(good)-1]))
	again("a short cache file", 6)
	write(t, file, string(good)+"x")
	again("a long cache file", 6)
	write(t, file, string(make([]byte, len(good))))
	again("a cache file of zeros", 6)
	os.Remove(file)
	write(t, strings.TrimSuffix(file, ".frames")+".json", `{"version":1,"source":"a.mp4"}`)
	write(t, strings.TrimSuffix(file, ".frames")+".raw", "frames of version 1")
	again("a cache of version 1", 6)
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.[jr]*")); len(left) > 0 {
		t.Errorf("what version 1 cached is still there: %v", left)
	}
	write(t, filepath.Join(filepath.Dir(file), atomicfile.Prefix+"123.frames"), "left by a killed process")
	steps(t, path, 9)
	again("another video of the same name", 9)
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), atomicfile.Prefix+"*")); len(left) > 0 {
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

// Training must not go on with other frames than it was given: what is damaged while it runs is
// decoded anew, once, with a line, for all goroutines and processes that need it at once.
func TestDamageWhileItRunsIsMended(t *testing.T) {
	root := t.TempDir()
	path := steps(t, filepath.Join(root, "a.mp4"), 6)
	var log [2]bytes.Buffer
	var sets [2]*decoded.Dataset
	for i := range sets { // as of two processes
		var err error
		if sets[i], err = Open(context.Background(), config(root, all), clips.Train, 2, slog.New(slog.NewTextHandler(&log[i], nil))); err != nil {
			t.Fatal(err)
		}
	}
	file := cacheFile(t, root)
	good, _ := os.ReadFile(file)
	const size = 16 * 16
	zeroed := append(make([]byte, 6*size), good[6*size:]...)
	for name, damage := range map[string]func(){
		"frames of zeros": func() { write(t, file, string(zeroed)) },
		"all zeros":       func() { write(t, file, string(make([]byte, len(good)))) },
		"cut off":         func() { write(t, file, string(good[:3*size+5])) },
		"deleted":         func() { os.RemoveAll(filepath.Dir(file)) },
	} {
		log[0].Reset()
		log[1].Reset()
		damage()
		var group sync.WaitGroup
		for i := range 12 {
			group.Go(func() {
				clip, err := sets[i%2].Clip(0, i%5, 2)
				if want := []uint8{uint8(10 * (i % 5)), uint8(10 * (i%5 + 1))}; err != nil || clip.Pix[0] != want[0] || clip.Pix[size] != want[1] {
					t.Errorf("%s: frames %v from %d on, %v, want %v", name, clip.Pix[:1], i%5, err, want)
				}
			})
		}
		group.Wait()
		if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, good) {
			t.Errorf("%s: the cache isn't as it was: %v", name, err)
		}
		said := log[0].String() + log[1].String()
		if n := strings.Count(said, "decoded anew"); n != 1 || !strings.Contains(said, "video=a.mp4") {
			t.Errorf("%s: said %d times, want once, that a.mp4 is decoded anew:\n%s", name, n, said)
		}
	}

	write(t, file, string(zeroed))
	steps(t, path, 7)
	_, err := sets[0].Clip(0, 0, 2)
	wantError(t, err, "frame 1 has another checksum", "it has changed since it was opened: start again")
	os.Remove(path)
	_, err = sets[0].Clip(0, 0, 2)
	wantError(t, err, "frame 1 has another checksum", "no such file")
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
	if len(entries) != 4+1 {
		t.Errorf("%d files in the cache, want one a video and the lock", len(entries))
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
			var err error
			if unlock, err = store.New(filepath.Join(root, ".mcvd-cache"), log).Lock(context.Background()); err != nil {
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
