package resize

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// noise fills a frame with the generator that the recorded values were made with.
func noise(f Frame) Frame {
	s := uint64(f.Height*1000 + f.Width)
	for i := range f.Pix {
		s = s*6364136223846793005 + 1442695040888963407
		f.Pix[i] = uint8(s >> 56)
	}
	return f
}

// testdata/recorded.json has what Pillow 13.0 and OpenCV 5.0 made of the same noise.
func TestRecordedFrames(t *testing.T) {
	b, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Filter                  Filter
		Height, Width, Channels int
		NewHeight               int `json:"new_height"`
		NewWidth                int `json:"new_width"`
		First                   []int
		SHA256                  string
	}
	if err := json.Unmarshal(b, &all); err != nil || len(all) < 30 {
		t.Fatalf("%d frames, %v", len(all), err)
	}
	for _, c := range all {
		out := NewFrame(c.NewHeight, c.NewWidth, c.Channels)
		New(c.Filter, c.Height, c.Width, c.NewHeight, c.NewWidth).Into(noise(NewFrame(c.Height, c.Width, c.Channels)), out)
		sum := sha256.Sum256(out.Pix)
		if got := hex.EncodeToString(sum[:]); got != c.SHA256 {
			t.Errorf("%s, %dx%dx%d to %dx%d: begins with %v, want %v", c.Filter, c.Height, c.Width, c.Channels,
				c.NewHeight, c.NewWidth, out.Pix[:min(8, len(out.Pix))], c.First)
		}
	}
}

// Whatever the sizes, weights add up to one: a flat frame stays as it is.
func TestFlatFramesStayFlat(t *testing.T) {
	for _, f := range []Filter{Bilinear, Lanczos, OpenCV} {
		for from := 1; from < 40; from += 3 {
			for to := 1; to < 40; to += 2 {
				in, out := NewFrame(from, to, 1), NewFrame(to, from, 1)
				for i := range in.Pix {
					in.Pix[i] = 255
				}
				New(f, from, to, to, from).Into(in, out)
				if i := slices.IndexFunc(out.Pix, func(v uint8) bool { return v != 255 }); i >= 0 {
					t.Fatalf("%s, %dx%d to %dx%d: pixel %d is %d, want 255", f, from, to, to, from, i, out.Pix[i])
				}
			}
		}
	}
}

func TestSquare(t *testing.T) {
	f := Frame{[]uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 2, 5, 1}
	if got := f.Middle(2, 2); got.Height != 2 || got.Width != 2 || !slices.Equal(got.Pix, []uint8{2, 3, 7, 8}) {
		t.Errorf("%+v, want the columns 1 and 2", got)
	}
	f.Height, f.Width = 5, 2
	if got := f.Middle(2, 2); !slices.Equal(got.Pix, []uint8{3, 4, 5, 6}) {
		t.Errorf("%+v, want the rows 1 and 2", got)
	}
}

func TestUnknownFilters(t *testing.T) {
	if Lanczos.Check() != nil || Filter("cubic").Check() == nil {
		t.Error("lanczos is a filter, cubic is none")
	}
}
