package eval

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
)

// Windows around any given frames make each other frame once, are consecutive, and are given frames
// that are there, and all of those that their slots reach.
func TestWindowsAroundAnyFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := configs.Frames{
			Past:    rapid.IntRange(0, 5).Draw(t, "past"),
			Current: rapid.IntRange(1, 5).Draw(t, "current"),
			Future:  rapid.IntRange(0, 5).Draw(t, "future"),
		}
		n := rapid.IntRange(2, 40).Draw(t, "frames")
		j := Job{Task: Generate, Frames: n, Advance: rapid.IntRange(1, f.Current).Draw(t, "advance"),
			Given: slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, n-1, rapid.ID[int]).Draw(t, "given")))}
		windows, err := j.List(f)
		if err != nil {
			t.Fatal(err)
		}
		if !Consecutive(windows, f) {
			t.Fatal("windows are not consecutive")
		}
		there := map[int]bool{}
		for _, i := range j.Given {
			there[i] = true
		}
		for w := range windows {
			start := None
			for k, i := range w.Make {
				if i != None {
					start = i - k
				}
			}
			if start == None {
				t.Fatalf("%+v makes nothing", w)
			}
			for slot, i := range w.Given {
				reached := start - f.Past + slot
				if slot >= f.Past {
					reached += f.Current
				}
				if want := orNone(reached, there[reached]); i != want {
					t.Fatalf("%+v: slot %d has frame %d, want %d", w, slot, i, want)
				}
			}
			for _, i := range w.Make {
				if i == None {
					continue
				}
				if there[i] || i < 0 || i >= n {
					t.Fatalf("%+v makes frame %d, which is there or not of the video", w, i)
				}
				there[i] = true
			}
		}
		if len(there) != n {
			t.Fatalf("%d frames are there, want %d", len(there), n)
		}
	})
}

// The last window before a given frame sees it; what comes before the first one is made backwards.
func TestWindowsAroundFrames(t *testing.T) {
	for _, tt := range []struct {
		given []int
		n     int
		want  string
	}{
		{[]int{0, 6}, 7, `   0
1  o###..-
2  -oo-##o
`},
		{[]int{5}, 9, `   0
1  ..###o...
2  ##oo--...
3  ----oo###
`},
	} {
		j := Job{Task: Generate, Frames: tt.n, Advance: 3, Given: tt.given}
		got := DrawingText(Draw(list(t, j, model232), j, model232))
		if got, _, _ = strings.Cut(got, "o given,"); got != tt.want {
			t.Errorf("given %v: \n%swant\n%s", tt.given, got, tt.want)
		}
	}
}

// Given frames go to emit as they are, first, and to the windows that see them.
func TestRolloutAroundFrames(t *testing.T) {
	j := Job{Task: Generate, Frames: 7, Advance: 3, Given: []int{0, 6}}
	var seen, emitted []string
	err := rollout(list(t, j, model232), map[int]string{0: "a", 6: "z"}, 7,
		func(w Window, given []string) ([]string, error) {
			seen = append(seen, see(given, 2))
			k := string(rune('A' + len(seen) - 1))
			return []string{k + "0", k + "1", k + "2"}, nil
		},
		func(frame int, made string) error {
			emitted = append(emitted, fmt.Sprint(frame, ":", made))
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(seen, " "), ".a|.. A0A1|z."; got != want {
		t.Errorf("windows saw %s, want %s", got, want)
	}
	if got, want := strings.Join(emitted, " "), "0:a 6:z 1:A0 2:A1 3:A2 4:B1 5:B2"; got != want {
		t.Errorf("emitted %s, want %s", got, want)
	}
	err = rollout(slices.Values([]Window{{Given: []int{None}, Make: []int{0, 1}}}), map[int]string{0: "a"}, 2,
		func(Window, []string) ([]string, error) { t.Error("a window was run"); return nil, nil }, func(int, string) error { return nil })
	if want := "window 1 makes frame 0, which is given"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestGivenFramesThatMakeNoSense(t *testing.T) {
	for want, j := range map[string]Job{
		"given frame 5: want 0 to 4, the frames of the video":                        {Generate, 5, 3, "", []int{5}},
		"given frame 1: stands behind frame 2, want each once and in order":          {Generate, 5, 3, "", []int{2, 1}},
		"predict: given frames have windows of their own, and are all that is given": {Predict, 5, 3, "", []int{2}},
		"all 2 frames are given, so none is left to generate":                        {Generate, 2, 2, "", []int{0, 1}},
	} {
		if _, err := j.List(model232); err == nil || err.Error() != want {
			t.Errorf("%+v: error %v, want %s", j, err, want)
		}
	}
}

// An image, and the first frame of a folder, become given frames, in order.
func TestGivenFramesAreRead(t *testing.T) {
	dir := t.TempDir()
	write := func(path string, grey uint8) string {
		path = filepath.Join(dir, path)
		img := image.NewGray(image.Rect(0, 0, 8, 8))
		for i := range img.Pix {
			img.Pix[i] = grey
		}
		var text bytes.Buffer
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), png.Encode(&text, img), os.WriteFile(path, text.Bytes(), 0o666)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	paths := []string{write("a.png", 10), filepath.Dir(write("folder/0.png", 200))}
	write("folder/1.png", 90)
	c := configs.Default()
	c.Data.Size, c.Data.Options = 8, configs.Options{"crop": "center", "image_fps": 0.0, "cache": "", "test": 0.1, "valid": 0.1}
	got, err := GivenFrames(t.Context(), c, paths)(0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Given.Frames != 2 || got.Given.Pix[0] != 10 || got.Given.Pix[64] != 200 {
		t.Errorf("given frames %d, first pixels %d and %d, want 2, 10 and 200", got.Given.Frames, got.Given.Pix[0], got.Given.Pix[64])
	}
	if _, err := GivenFrames(t.Context(), c, []string{filepath.Join(dir, "missing.png")})(0); err == nil || !strings.Contains(err.Error(), "missing.png") {
		t.Errorf("a missing file: error %v", err)
	}
}
