package ucf101

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/resize"
)

// film makes an AVI file of coloured noise, and returns its frames.
func film(t *testing.T, path string, frames int) []uint8 {
	t.Helper()
	pix := make([]uint8, frames*240*320*3)
	s := uint64(len(path))
	for i := range pix {
		s = s*6364136223846793005 + 1442695040888963407
		pix[i] = uint8(s >> 56)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x240", "-r", "25",
		"-i", "pipe:", "-c:v", "ffv1", "-pix_fmt", "bgr0", path)
	cmd.Stdin = bytes.NewReader(pix)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return pix
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func open(root string, options configs.Options, split clips.Split) (*Dataset, string, error) {
	c := configs.Default()
	c.Data.Name, c.Data.Path, c.Data.Size, c.Data.Channels, c.Data.Options = "ucf101", root, 32, 3, options
	var log bytes.Buffer
	d, err := Open(context.Background(), c, split, 2, slog.New(slog.NewTextHandler(&log, nil)))
	return d, log.String(), err
}

func names(d *Dataset) (out []string) {
	for i := range d.Len() {
		out = append(out, d.Name(i))
	}
	return out
}

func want(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want one with %q", err, part)
		}
	}
}

func TestListsAndCrops(t *testing.T) {
	root := t.TempDir()
	pix := map[string][]uint8{}
	for _, name := range []string{"Archery/v_Archery_g01_c01.avi", "Archery/v_Archery_g02_c01.avi", "Bowling/v_Bowling_g01_c01.avi", "Bowling/v_Bowling_g09_c01.avi"} {
		pix[name] = film(t, filepath.Join(root, "UCF-101", name), 3)
	}
	lists := filepath.Join(root, "ucfTrainTestlist")
	write(t, filepath.Join(lists, "trainlist03.txt"), "Archery/v_Archery_g02_c01.avi 1\r\nArchery/v_Archery_g03_c01.avi 1\r\nBowling/v_Bowling_g01_c01.avi 2\r\n")
	write(t, filepath.Join(lists, "testlist03.txt"), "Bowling/v_Bowling_g09_c01.avi\nArchery/v_Archery_g01_c01.avi\nBowling/v_Bowling_g08_c01.avi\n")
	for split, expected := range map[clips.Split][]string{
		clips.Train: {"Archery/v_Archery_g02_c01.avi"}, // the second of three is not there
		clips.Valid: {"Bowling/v_Bowling_g01_c01.avi"},
		clips.Test:  {"Bowling/v_Bowling_g09_c01.avi"}, // every second, of which there is one whole pair
	} {
		d, log, err := open(root, configs.Options{"test_every": 2}, split)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(names(d), expected) {
			t.Errorf("%s: %q, want %q", split, names(d), expected)
		}
		if action, _, _ := strings.Cut(expected[0], "/"); !slices.Equal(clips.Labels(d, 0), []string{action}) || !slices.Contains(clips.Classes(d), action) {
			t.Errorf("%s: labels %q of %q", expected[0], clips.Labels(d, 0), clips.Classes(d))
		}
		if missing := strings.Contains(log, "the first of 1 that are missing of 2 in the list"); missing != (split == clips.Train) {
			t.Errorf("%s: %s", split, log)
		}
		scale := resize.New(resize.Lanczos, 240, 320, 32, 42)
		columns := map[int]bool{}
		for start := range 2 {
			got, err := d.Clip(0, start, 2)
			if err != nil {
				t.Fatal(err)
			}
			stored := clips.NewClip(2, 32, 42, 3)
			for f := range 2 {
				whole := resize.Frame{Pix: pix[expected[0]][(start+f)*240*320*3:][:240*320*3], Height: 240, Width: 320, Channels: 3}
				scale.Into(whole, resize.Frame{Pix: stored.Slice(f, f+1).Pix, Height: 32, Width: 42, Channels: 3})
			}
			crop := clips.WideCrop{Size: 32, Random: split == clips.Train}
			columns[crop.Column(0, start)] = true
			if !bytes.Equal(got.Pix, crop.Cut(stored, 0, start).Pix) {
				t.Errorf("%s: frames from %d on are not PIL's, cropped at column %d", split, start, crop.Column(0, start))
			}
		}
		if split == clips.Test && !columns[5] {
			t.Errorf("the test is cropped at %v, want 5", columns)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	root := t.TempDir()
	_, _, err := open(root, nil, clips.Train)
	want(t, err, "trainlist03.txt", "want the owners' lists")
	for text, message := range map[string]string{
		"":                          "no videos in it",
		"a.avi\n":                   `line 1: "a.avi", want a name such as`,
		"x/a.avi\n../x/b.avi 2\n":   "line 2",
		"x/a.avi 1\n\nx/a.avi 1\n":  "line 3: x/a.avi stands in line 1, too",
		"x/a.avi\nx/b.avi\nx/c.avi": "no usable video for split train: 1 found, 1 left out: x/a.avi: no such file, the first of 2 that are missing of 2",
	} {
		write(t, filepath.Join(root, "trainlist03.txt"), text)
		_, _, err := open(root, nil, clips.Train)
		want(t, err, message)
	}
	write(t, filepath.Join(root, "testlist03.txt"), "x/a.avi\n")
	_, _, err = open(root, nil, clips.Test)
	want(t, err, "data.options.test_every: 10, but the test's list has 1 videos")
	c := configs.Default()
	want(t, Check(c), "data.channels: 1, want 3")
}

// FuzzList reads any list of the owners'. Its names lie in the data set, each once.
func FuzzList(f *testing.F) {
	f.Add("Archery/v_Archery_g02_c01.avi 1\r\nArchery/v_Archery_g03_c01.avi 1\r\n")
	f.Add("x/a.avi\n../x/b.avi 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := parse(strings.NewReader(text))
		if (err == nil) == (len(names) == 0) {
			t.Fatalf("%d names and error %v", len(names), err)
		}
		seen := map[string]bool{}
		for _, name := range names {
			if seen[name] || !filepath.IsLocal(name) || strings.ContainsAny(name, "\n ") {
				t.Errorf("%q", name)
			}
			seen[name] = true
		}
	})
}
