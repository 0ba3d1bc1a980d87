package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/video"
)

// With frames.mask.kind: key one conditioning frame of each clip is shown, and the others are blank.
func TestHiddenFramesAreBlank(t *testing.T) {
	c, err := experiment.Load("../../configs/tiny.yml", "frames.mask.kind=key", "frames.mask.past=0", "frames.mask.future=0", "frames.past=2", "frames.future=2")
	if err != nil {
		t.Fatal(err)
	}
	var rows []video.Row
	for range c.Train.Batch * c.Train.Accumulate {
		clip := clips.NewClip(c.Frames.Total(), 4, 4, 1)
		for i := range clip.Pix {
			clip.Pix[i] = 7
		}
		rows = append(rows, video.Row{Clip: clip})
	}
	if err := hideFrames(rows, c, 3); err != nil {
		t.Fatal(err)
	}
	for r, row := range rows {
		counts := map[video.Mark]int{}
		for i, mark := range row.Marks {
			counts[mark]++
			want := uint8(7)
			if mark == video.Hidden {
				want = 128
			}
			for _, pix := range row.Clip.Slice(i, i+1).Pix {
				if pix != want {
					t.Fatalf("clip %d, frame %d, mark %d: pixel %d, want %d", r, i, mark, pix, want)
				}
			}
		}
		if counts[video.Given] != 1 || counts[video.Hidden] != 3 || counts[video.Generated] != c.Frames.Current {
			t.Errorf("clip %d has marks %v", r, row.Marks)
		}
	}
}

// The command draws what it would draw without --masks, with frames blanked and marked.
func TestPeekDrawsMasks(t *testing.T) {
	inNewFolder(t)
	pictures := map[string]string{}
	for _, masks := range []string{"--masks=false", "--masks"} {
		if status, _, stderr := call(t, "data", "peek", "-c", "configs/tiny.yml", "--sample", "1", masks, "-o", "peek.png"); status != 0 {
			t.Fatal(stderr)
		}
		text, err := os.ReadFile("peek.png")
		if err != nil {
			t.Fatal(err)
		}
		pictures[masks] = string(text)
	}
	if pictures["--masks"] == pictures["--masks=false"] {
		t.Error("--masks changes nothing")
	}
}

// With times that are drawn, each row says them, and has the frames at these times.
func TestPeekSaysTimes(t *testing.T) {
	c, err := experiment.Load("../../configs/tiny.yml", "model.options.frame_times=true", "frames.times.kind=random", "frames.times.span=30")
	if err != nil {
		t.Fatal(err)
	}
	ds, err := data.Open(t.Context(), c, clips.Train, c.Frames.Span(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := rowsOfStep(ds, c, 2, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for k, row := range rows {
		s, err := data.NewBatches(ds, c, nil).Clip(c.Train.Batch*c.Train.Accumulate + k)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%s from %d, times %s", ds.Name(s.Video), s.Start, strings.Trim(fmt.Sprint(s.Times), "[]"))
		if row.Label != want || !slices.Equal(row.Clip.Pix, s.Pix) {
			t.Errorf("row %d is called %s, want %s, or has other frames", k, row.Label, want)
		}
	}
}

// Of a step whose clips are all turned around, the command draws what it draws of a data set that is.
func TestPeekTurnsClipsAround(t *testing.T) {
	rows := []video.Row{{Label: "a", Clip: clips.Clip{Pix: []uint8{1, 2, 3, 4, 5, 6}, Frames: 6, Height: 1, Width: 1, Channels: 1}}}
	c := configs.Default()
	c.Frames = configs.Frames{Past: 1, Current: 4, Future: 1, Mask: configs.Mask{Kind: "blocks", Reverse: 1}, Times: configs.Times{Kind: "consecutive"}}
	c.Data.Size, c.Train.Batch = 16, 1
	if err := hideFrames(rows, c, 1); err != nil {
		t.Fatal(err)
	}
	if got, want := rows[0].Clip.Pix, []uint8{6, 5, 4, 3, 2, 1}; !slices.Equal(got, want) || rows[0].Label != "a, turned around" {
		t.Errorf("%s: %v, want %v", rows[0].Label, got, want)
	}
}
