package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
)

// A store is made of an experiment's data set, opened like any other, and verified.
func TestConvertAndVerify(t *testing.T) {
	inNewFolder(t)
	args := []string{"data", "convert", "configs/tiny.yml", "store", "--videos", "5", "--frames", "9"}
	if status, out, stderr := call(t, args...); status != 0 || out != "store: 3 files (0 kept), 15 videos, 135 frames, 0.0 MB\n" {
		t.Fatalf("status %d, %q, %q", status, out, stderr)
	}
	if status, out, stderr := call(t, append(args, "--jobs", "1")...); status != 0 || !strings.Contains(out, "(3 kept)") {
		t.Errorf("status %d, %q, %q, want all kept", status, out, stderr)
	}
	if status, _, stderr := call(t, "data", "peek", "-c", "configs/tiny.yml", "--set", "data.name=store", "--set", "data.path=store",
		"--split", "test", "--clips", "3", "-o", "peek.png"); status != 0 {
		t.Error(stderr)
	}
	if status, out, stderr := call(t, "data", "verify", "store"); status != 0 || out != "store: 3 files, 15 videos, 135 frames read, nothing damaged\n" {
		t.Errorf("status %d, %q, %q", status, out, stderr)
	}
	path := filepath.Join("store", "train", "00000.frames")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[256*9+1] ^= 1 // in the first frame of the second video
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	status, out, stderr := call(t, "data", "verify", "store")
	if status != exitFailure || !strings.Contains(out, "train/00000.frames: video digits/train/1: frame 0 has another checksum") || !strings.Contains(stderr, "135 frames read; 1 line of damage above") {
		t.Errorf("status %d, %q, %q, want the frame", status, out, stderr)
	}
}

func TestConvertRefuses(t *testing.T) {
	inNewFolder(t)
	if err := os.MkdirAll("clips", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("clips/one.mp4", []byte("no video"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"(--splits leaves a split out)":              {"clips", "store"},
		"give --videos N":                            {"configs/tiny.yml", "store"},
		"give --frames N":                            {"configs/tiny.yml", "store", "--videos", "3"},
		"FOLDER clips/in: lies in the source, clips": {"clips", "clips/in"},
		"no such file":                               {"none.yml", "store"},
	} {
		if status, _, stderr := call(t, append([]string{"data", "convert"}, args...)...); status != exitFailure || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d, %s, want %s", args, status, stderr, want)
		}
		if _, err := os.Stat("store"); err == nil {
			t.Errorf("%v: something was written", args)
		}
	}
}

// Recorded from the first stores: a conversion that was begun by an earlier version goes on. Settings
// of the training that reads it don't belong to a store.
func TestSettingsOfASourceStayAsTheyWere(t *testing.T) {
	c := configs.Default()
	c.Data.Options = configs.Options{"crop": "whole"}
	c.Data.Stride, c.Data.Windows, c.Data.Start, c.Data.OnError = 3, 2, "even", "fail"
	got, err := sourceSettings(c)
	const want = `{"Name":"folder","Path":"","Size":64,"Channels":1,"FPS":0,"Flip":false,"OnError":"","Options":{"crop":"whole"}}`
	if err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}
