package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/data/clips"
	"mcvd/data/video"
)

func TestPeekMakesItsFolder(t *testing.T) {
	inNewFolder(t)
	out := filepath.Join("new", "folder", "peek.png")
	if status, stdout, stderr := call(t, "data", "peek", "-c", "configs/tiny.yml", "-o", out, "--clips", "1"); status != 0 || stdout != out+"\n" {
		t.Errorf("status %d, says %q and %q, want the sheet's path", status, stdout, stderr)
	}
}

// Windows at a stride overlap by what the stride leaves: the second clip begins with the first
// one's frames from there on.
func TestExportEvery(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "data", "export", "-c", "configs/tiny.yml", "-o", "out", "--every", "2", "--clips", "3", "--frames", "5",
		"--fps", "7"); status != 0 {
		t.Fatal(stderr)
	}
	var all [3]clips.Clip
	for i, name := range []string{"00000.mp4", "00001.mp4", "00002.mp4"} {
		path := filepath.Join("out", name)
		info, err := video.Probe(context.Background(), path)
		if err != nil || info.FPS != 7 {
			t.Fatalf("%s: %g frames a second, %v, want 7", name, info.FPS, err)
		}
		all[i] = clips.Clip{Height: 16, Width: 16, Channels: 1}
		decoded, err := video.Decode(context.Background(), path, video.DecodeOptions{Channels: 1}, func(frame []uint8) error {
			all[i].Pix = append(all[i].Pix, frame...)
			return nil
		})
		if err != nil || decoded != (video.Decoded{Frames: 5, FPS: 7}) {
			t.Fatalf("%s: %+v, %v, want 5 frames at 7 a second", name, decoded, err)
		}
		all[i].Frames = decoded.Frames
	}
	for i := range 2 {
		if !slices.Equal(all[i].Slice(2, 5).Pix, all[i+1].Slice(0, 3).Pix) {
			t.Errorf("clip %d doesn't begin two frames after clip %d", i+1, i)
		}
	}
}

// Another step has other clips, and the first has those of the first batches.
func TestPeekShowsTheBatchOfAStep(t *testing.T) {
	inNewFolder(t)
	pictures := map[string]string{}
	for _, step := range []string{"1", "2", "1 again"} {
		if status, _, stderr := call(t, "data", "peek", "-c", "configs/tiny.yml", "--sample", step[:1], "-o", "peek.png", "--set", "train.batch=2",
			"--set", "train.accumulate=2"); status != 0 {
			t.Fatal(stderr)
		}
		text, err := os.ReadFile("peek.png")
		if err != nil {
			t.Fatal(err)
		}
		pictures[step] = string(text)
	}
	if pictures["1"] != pictures["1 again"] || pictures["1"] == pictures["2"] {
		t.Errorf("steps 1 and 2 have equal pictures: %t; step 1 and again: %t", pictures["1"] == pictures["2"], pictures["1"] == pictures["1 again"])
	}
}

func TestStatsOfADataSet(t *testing.T) {
	inNewFolder(t)
	status, stdout, stderr := call(t, "data", "stats", "-c", "configs/tiny.yml", "--videos", "20", "--json", "stats.json", "--plot", "lengths.png")
	if status != 0 || !strings.Contains(stdout, "valid: 10000 videos") || !strings.Contains(stdout, "16x16x1") {
		t.Fatalf("status %d, %q, %q", status, stdout, stderr)
	}
	text, err := os.ReadFile("stats.json")
	if err != nil {
		t.Fatal(err)
	}
	var all described
	if err := json.Unmarshal(text, &all); err != nil || len(all.Splits) != 3 || all.Splits[2].Sampled != 20 || all.Dataset != "digits" {
		t.Errorf("%v, error %v", all, err)
	}
	if _, err := os.Stat("lengths.png"); err != nil {
		t.Error(err)
	}
}
