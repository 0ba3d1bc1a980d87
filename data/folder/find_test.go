package folder

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
)

func TestSplitsByFolder(t *testing.T) {
	root := t.TempDir()
	steps(t, filepath.Join(root, "train", "a.mp4"), 3)
	steps(t, filepath.Join(root, "test", "b.mp4"), 3)
	steps(t, filepath.Join(root, "c.mp4"), 3)
	for split, want := range map[clips.Split]string{clips.Train: "train/a.mp4", clips.Test: "test/b.mp4"} {
		if d, _ := mustOpen(t, config(root, nil), split, 2); !slices.Equal(names(d), []string{want}) {
			t.Errorf("%s: %q, want %q", split, names(d), want)
		}
	}
	_, _, err := open(config(root, nil), clips.Valid, 2)
	wantError(t, err, "split valid is empty: put videos into "+filepath.Join(root, "valid"))
	_, _, err = open(config(root, configs.Options{"valid": 0.2}), clips.Train, 2)
	wantError(t, err, "data.options.valid: 0.2 has no effect because")
}

func TestSplitsByHash(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "a.mp4"), "x")
	_, _, err := open(config(root, all), clips.Valid, 2)
	wantError(t, err, "split valid is empty: of 1 videos none fell into it; raise data.options.valid")
	_, _, err = open(config(root, configs.Options{"valid": 1.0, "test": 0.0}), clips.Train, 2)
	wantError(t, err, "split train is empty", "lower data.options.valid or data.options.test")
}

// Of three videos each split gets one. That training has so few is said, with the counts, and only
// where a hash did it.
func TestFewVideosForTrainingAreCounted(t *testing.T) {
	root, sorted := t.TempDir(), t.TempDir()
	for i, split := range clips.Splits() {
		steps(t, filepath.Join(root, fmt.Sprintf("clip%d.mp4", i)), 3)
		steps(t, filepath.Join(sorted, string(split), "a.mp4"), 3)
	}
	const warning = "few of the videos are for training"
	if _, log := mustOpen(t, config(root, nil), clips.Train, 2); !strings.Contains(log, warning) || !strings.Contains(log, "train=1 valid=1 test=1") {
		t.Errorf("one of three videos: the log says\n%s", log)
	}
	for what, open := range map[string]func() (*decoded.Dataset, string){
		"the split for validation": func() (*decoded.Dataset, string) { return mustOpen(t, config(root, nil), clips.Valid, 2) },
		"all for training":         func() (*decoded.Dataset, string) { return mustOpen(t, config(root, all), clips.Train, 2) },
		"folders for the splits":   func() (*decoded.Dataset, string) { return mustOpen(t, config(sorted, nil), clips.Train, 2) },
	} {
		if _, log := open(); strings.Contains(log, warning) {
			t.Errorf("%s: the log says\n%s", what, log)
		}
	}
	for _, c := range []struct {
		train, valid, test int
		want               bool
	}{{8, 1, 1, false}, {3, 1, 1, false}, {2, 1, 1, false}, {2, 2, 1, false}, {1, 2, 1, true}, {39, 31, 30, true}, {41, 30, 29, false}, {0, 2, 1, false}} {
		counts := map[clips.Split]int{clips.Train: c.train, clips.Valid: c.valid, clips.Test: c.test}
		if got := DefaultOptions().lopsided(counts); got != c.want {
			t.Errorf("%v: lopsided %v, want %v", counts, got, c.want)
		}
	}
}

// What isn't read is named, once for each folder and kind.
func TestOtherFormatsAreNamed(t *testing.T) {
	root := t.TempDir()
	steps(t, filepath.Join(root, "a.mp4"), 6)
	for _, name := range []string{"b.webp", "c.WEBP", "walk/1.bmp", "walk/2.bmp", "list.m3u8", "notes.txt"} {
		write(t, filepath.Join(root, name), "x")
	}
	d, log := mustOpen(t, config(root, all), clips.Train, 2)
	if d.Len() != 1 || d.FPS(0) != 10 {
		t.Errorf("%q at %g frames a second, want a.mp4 at 10", names(d), d.FPS(0))
	}
	for _, want := range []string{`file=*.webp reason="2 in a format that is not read`, `file=walk/*.bmp reason="2 in`, `file=*.m3u8 reason="1 in`, "left_out=3"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
}

// Cameras write names in capitals.
func TestExtensionsInCapitals(t *testing.T) {
	root := t.TempDir()
	if err := os.Rename(steps(t, filepath.Join(root, "clip.mp4"), 6), filepath.Join(root, "CLIP.MP4")); err != nil {
		t.Fatal(err)
	}
	d, log, err := open(config(root, configs.Options{"valid": 0, "test": 0}), clips.Train, 6)
	if err != nil || d.Len() != 1 || d.Name(0) != "CLIP.MP4" {
		t.Errorf("%v, %v\n%s", d, err, log)
	}
}
