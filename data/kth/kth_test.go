package kth

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/resize"
)

// film makes an AVI file of grey noise, and returns its frames.
func film(t *testing.T, path string, frames int) []uint8 {
	t.Helper()
	pix := make([]uint8, frames*120*160)
	s := uint64(len(path))
	for i := range pix {
		s = s*6364136223846793005 + 1442695040888963407
		pix[i] = uint8(s >> 56)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s", "160x120", "-r", "25",
		"-i", "pipe:", "-c:v", "ffv1", path)
	cmd.Stdin = bytes.NewReader(pix)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return pix
}

func open(root string, options configs.Options, split clips.Split, frames int) (*decoded.Dataset, string, error) {
	c := configs.Default()
	c.Data.Name, c.Data.Path, c.Data.Size, c.Data.Options = "kth", root, 64, options
	var log bytes.Buffer
	d, err := Open(context.Background(), c, split, frames, slog.New(slog.NewTextHandler(&log, nil)))
	return d, log.String(), err
}

func names(d *decoded.Dataset) (out []string) {
	for i := range d.Len() {
		out = append(out, fmt.Sprintf("%s %d", d.Name(i), d.Frames(i)))
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

func TestPersonsAndFrames(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, "raw", filepath.FromSlash(name)) }
	first := film(t, at("walking/person01_walking_d1_uncomp.avi"), 12)
	film(t, at("boxing/person01_boxing_d2_uncomp.avi"), 5)
	film(t, at("walking/person02_walking_d1_uncomp.avi"), 6)
	film(t, at("jogging/person25_jogging_d4_uncomp.avi"), 7)
	film(t, at("walking/person03_running_d1_uncomp.avi"), 7) // in the wrong folder
	for split, expected := range map[clips.Split][]string{
		clips.Train: {"boxing/person01_boxing_d2_uncomp.avi 5", "walking/person01_walking_d1_uncomp.avi 12"},
		clips.Valid: {"walking/person02_walking_d1_uncomp.avi 6"},
		clips.Test:  {"jogging/person25_jogging_d4_uncomp.avi 7"},
	} {
		d, _, err := open(root, nil, split, 2)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(names(d), expected) {
			t.Errorf("%s: %q, want %q", split, names(d), expected)
		}
		for i := range d.Len() {
			if action, _, _ := strings.Cut(d.Name(i), "/"); !slices.Equal(d.Labels(i), []string{action}) || len(d.Classes()) != 6 {
				t.Errorf("%s: labels %q of %q", d.Name(i), d.Labels(i), d.Classes())
			}
		}
	}
	d, _, err := open(root, nil, clips.Train, 2)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Clip(1, 3, 2)
	if err != nil || d.FPS(1) != 25 {
		t.Fatalf("%v, %g frames a second", err, d.FPS(1))
	}
	squeeze := resize.New(resize.OpenCV, 120, 160, 64, 64)
	for f := range 2 {
		out := resize.NewFrame(64, 64, 1)
		squeeze.Into(resize.Frame{Pix: first[(3+f)*120*160:][:120*160], Height: 120, Width: 160, Channels: 1}, out)
		if !bytes.Equal(got.Slice(f, f+1).Pix, out.Pix) {
			t.Errorf("frame %d isn't as OpenCV squeezes it", 3+f)
		}
	}
}

func TestSequences(t *testing.T) {
	root := t.TempDir()
	film(t, filepath.Join(root, "walking/person21_walking_d1_uncomp.avi"), 12)
	film(t, filepath.Join(root, "walking/person22_walking_d1_uncomp.avi"), 12)
	list := filepath.Join(root, "00sequences.txt")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := configs.Options{"sequences": "00sequences.txt"}
	write("Which frames show the person.\r\n\r\nperson21_walking_d1\t\tframes\t5-9, 1-6, 8-20\r\nperson13_handclapping_d3\t*missing*\r\n")
	d, log, err := open(root, options, clips.Test, 2)
	if err != nil {
		t.Fatal(err)
	}
	name := "walking/person21_walking_d1_uncomp.avi"
	if expected := []string{name + ":5-9 5", name + ":1-6 6", name + ":8-20 5"}; !slices.Equal(names(d), expected) {
		t.Errorf("%q, want %q", names(d), expected)
	}
	for _, line := range []string{"no line in 00sequences.txt", "ends there"} {
		if !strings.Contains(log, line) {
			t.Errorf("nothing says %q: %s", line, log)
		}
	}
	whole, _, err := open(root, nil, clips.Test, 2)
	if err != nil {
		t.Fatal(err)
	}
	part, errPart := d.Clip(0, 1, 4)
	all, errAll := whole.Clip(0, 5, 4)
	if errPart != nil || errAll != nil || !bytes.Equal(part.Pix, all.Pix) {
		t.Errorf("frames 6 to 9 of the film differ: %v, %v", errPart, errAll)
	}
	for text, message := range map[string]string{
		"nothing\n":                                  "no sequences in it",
		"person21_walking_d1 frames 0-5\n":           `line 1: person21_walking_d1: "0-5", want a range`,
		"person21_walking_d1 frames 7-5\n":           "want a range",
		"\nperson21_walking_d1 1-5 6-99999999999999": "line 2",
	} {
		write(text)
		_, _, err := open(root, options, clips.Test, 2)
		want(t, err, list, message)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	root := t.TempDir()
	_, _, err := open(root, nil, clips.Train, 2)
	want(t, err, root, "no files of KTH in it")
	film(t, filepath.Join(root, "walking/person01_walking_d1_uncomp.avi"), 3)
	_, _, err = open(root, nil, clips.Test, 2)
	want(t, err, "split test is empty")
	_, _, err = open(root, configs.Options{"sequences": "none.txt"}, clips.Train, 2)
	want(t, err, "none.txt", "no such file")
	c := configs.Default()
	c.Data.Channels = 3
	want(t, Check(c), "data.channels: 3, want 1")
}

func FuzzSequences(f *testing.F) {
	f.Add("person01_boxing_d1\t\tframes\t1-95, 96-185, 186-245, 246-360\nperson13_handclapping_d3\t*missing*\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseSequences(strings.NewReader(text))
		if err == nil && len(all) == 0 {
			t.Error("neither sequences nor an error")
		}
		for name, parts := range all {
			for _, p := range parts {
				if p.From < 0 || p.To <= p.From {
					t.Errorf("%s: frames %d to %d", name, p.From, p.To)
				}
			}
		}
	})
}
