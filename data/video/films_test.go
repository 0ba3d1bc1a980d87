package video

import (
	"image/color"
	"image/gif"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/data/clips"
)

func readGIF(t *testing.T, path string) *gif.GIF {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	film, err := gif.DecodeAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return film
}

// has counts the pixels of a frame that differ from a colour by at most so much in each channel.
func has(film *gif.GIF, frame int, c color.RGBA, most float64) (n int) {
	img := film.Image[frame]
	for _, index := range img.Pix {
		r, g, b, _ := img.Palette[index].RGBA()
		if math.Abs(float64(r>>8)-float64(c.R)) <= most && math.Abs(float64(g>>8)-float64(c.G)) <= most && math.Abs(float64(b>>8)-float64(c.B)) <= most {
			n++
		}
	}
	return n
}

func TestFilmsPlayEveryFrameWithItsMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.gif")
	long, short := clips.NewClip(4, 64, 64, 1), clips.NewClip(2, 64, 64, 1)
	for i := range long.Pix {
		long.Pix[i] = uint8(10 + 60*(i/4096))
	}
	for i := range short.Pix {
		short.Pix[i] = uint8(101 + 60*(i/4096))
	}
	if err := WriteFilms(path, 2, Row{Label: "made", Clip: long, Marks: Marks(4, 1, 1)}, Row{Label: "real", Clip: short}); err != nil {
		t.Fatal(err)
	}
	film := readGIF(t, path)
	if len(film.Image) != 4 || film.LoopCount != 0 {
		t.Fatalf("%d frames, repeated %d times, want 4, forever", len(film.Image), film.LoopCount)
	}
	grey := func(v int) color.RGBA { return color.RGBA{uint8(v), uint8(v), uint8(v), 255} }
	for f := range 4 {
		if n := has(film, f, grey(10+60*f), 1); n < 4096 {
			t.Errorf("frame %d: %d pixels of the long video, want 4096", f, n)
		}
		if n := has(film, f, grey(101+60*min(f, 1)), 1); n < 4096 {
			t.Errorf("frame %d: %d pixels of the short video, want 4096: it keeps its last frame", f, n)
		}
		given, made := has(film, f, markColors[Given], 0), has(film, f, markColors[Generated], 0)
		if wantGiven := f == 0 || f == 3; wantGiven != (given > 0) || wantGiven == (made > 0) {
			t.Errorf("frame %d: %d pixels of given borders, %d of generated ones", f, given, made)
		}
	}
}

// The mean of dithered pixels is the colour that was meant, within what the steps of the cube lose.
func TestColoursOfFilmsAreRightInTheMean(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.gif")
	for _, want := range []color.RGBA{{200, 30, 90, 255}, {255, 255, 0, 255}, {0, 0, 0, 255}, {17, 130, 255, 255}} {
		c := clips.NewClip(1, 64, 64, 3)
		for i := range 4096 {
			copy(c.Pix[3*i:], []uint8{want.R, want.G, want.B})
		}
		if err := WriteFilms(path, 1, Row{Clip: c}); err != nil {
			t.Fatal(err)
		}
		film := readGIF(t, path)
		var sum [3]float64
		for y := range 64 {
			for x := range 64 {
				r, g, b, _ := film.Image[0].At(margin+border+x, margin+lineHeight+border+y).RGBA()
				sum[0], sum[1], sum[2] = sum[0]+float64(r>>8)/4096, sum[1]+float64(g>>8)/4096, sum[2]+float64(b>>8)/4096
			}
		}
		for i, v := range []uint8{want.R, want.G, want.B} {
			if !(math.Abs(sum[i]-float64(v)) <= 3) {
				t.Errorf("channel %d of %v is %.1f in the mean", i, want, sum[i])
			}
		}
	}
}

func TestFilmsThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.gif")
	c := clips.NewClip(1, 8, 8, 1)
	if err := WriteFilms(path, 0, Row{Clip: c}); err == nil || !strings.Contains(err.Error(), path+": films: no columns") {
		t.Errorf("error %v, want one about the columns", err)
	}
	if err := WriteFilms(path, 2); err == nil {
		t.Error("no error for no rows")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was left")
	}
}
