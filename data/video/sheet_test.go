package video

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/data/clips"
)

func TestMarks(t *testing.T) {
	want := []Mark{Given, Given, Generated, Generated, Given}
	if got := Marks(5, 2, 1); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSheetShowsEveryFrameAndItsMark(t *testing.T) {
	c := clips.NewClip(3, 8, 8, 3)
	colors := []color.RGBA{{250, 0, 0, 255}, {0, 250, 0, 255}, {0, 0, 250, 255}}
	for i := range 3 * 64 {
		p := colors[i/64]
		copy(c.Pix[3*i:], []uint8{p.R, p.G, p.B})
	}
	path := filepath.Join(t.TempDir(), "sheet.png")
	err := WriteSheet(path, "a title", Row{Label: "real", Clip: c}, Row{Label: "made", Clip: c, Marks: Marks(3, 1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range colors {
		if got := count(img, want); got != 2*64*64 {
			t.Errorf("frame %d covers %d pixels, want two of 64x64", i, got)
		}
	}
	ring := 70*70 - 64*64
	for mark, frames := range map[Mark]int{Given: 1, Generated: 2} {
		if got := count(img, markColors[mark]); got != frames*ring+swatch*swatch {
			t.Errorf("%s: %d pixels, want %d borders and a swatch", markNames[mark], got, frames)
		}
	}
}

func count(img image.Image, c color.RGBA) (n int) {
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if color.RGBAModel.Convert(img.At(x, y)) == c {
				n++
			}
		}
	}
	return n
}

func TestSheetSaysWhatIsWrong(t *testing.T) {
	c := clips.NewClip(2, 8, 8, 1)
	for want, rows := range map[string][]Row{
		"no rows":                     nil,
		"frames of 9x8, want 8x8":     {{Clip: c}, {Clip: clips.NewClip(2, 8, 9, 1)}},
		"1 marks for 2 frames":        {{Clip: c, Marks: Marks(1, 1, 0)}},
		"2 channels":                  {{Clip: clips.NewClip(2, 8, 8, 2)}},
		"0 bytes for 0 frames of 0x0": {{}},
	} {
		if _, err := Sheet("", rows...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestSideBySide(t *testing.T) {
	grey := clips.Clip{Pix: []uint8{1, 2, 3, 4}, Frames: 2, Height: 1, Width: 2, Channels: 1} // two frames of one row
	rgb := clips.Clip{Pix: []uint8{10, 11, 12, 20, 21, 22}, Frames: 2, Height: 1, Width: 1, Channels: 3}
	got, err := SideBySide(1, Given, grey, rgb)
	want := []uint8{1, 1, 1, 2, 2, 2, 0, 114, 178, 10, 11, 12, 3, 3, 3, 4, 4, 4, 0, 114, 178, 20, 21, 22}
	if err != nil || got.Frames != 2 || got.Height != 1 || got.Width != 4 || got.Channels != 3 || !slices.Equal(got.Pix, want) {
		t.Errorf("%+v, %v, want %v", got, err, want)
	}
	for i := range 2 { // one frame at a time gives the same
		one, err := SideBySide(1, Given, grey.Slice(i, i+1), rgb.Slice(i, i+1))
		if err != nil || !slices.Equal(one.Pix, got.Slice(i, i+1).Pix) {
			t.Errorf("frame %d alone: %v, %v", i, one.Pix, err)
		}
	}
	if _, err := SideBySide(1, Given, grey, clips.NewClip(3, 1, 2, 1)); err == nil || !strings.Contains(err.Error(), "clip 1 has 3 frames of height 1, want 2 of 1") {
		t.Errorf("clips of different lengths: %v", err)
	}
	if _, err := SideBySide(1, Given); err == nil {
		t.Error("no clips gave no error")
	}
}
