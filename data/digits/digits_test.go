package digits

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/data/clips"
)

func config(options configs.Options) *configs.Config {
	c := configs.Default()
	c.Data.Name, c.Data.Size, c.Data.Channels, c.Data.Options = "digits", 64, 1, options
	return c
}

func open(t *testing.T, c *configs.Config, split clips.Split) *Dataset {
	t.Helper()
	d, err := New(c, split)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func clip(t *testing.T, d *Dataset, video, start, frames int) clips.Clip {
	t.Helper()
	c, err := d.Clip(video, start, frames)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAFrameIsAFunctionOfSplitVideoAndNumber(t *testing.T) {
	train, valid, test := open(t, config(nil), clips.Train), open(t, config(nil), clips.Valid), open(t, config(nil), clips.Test)
	base := clip(t, train, 3, 7, 6)
	if again := clip(t, open(t, config(nil), clips.Train), 3, 7, 6); !slices.Equal(base.Pix, again.Pix) {
		t.Error("equal addresses gave different frames")
	}
	if longer := clip(t, train, 3, 5, 9); !slices.Equal(base.Pix, longer.Slice(2, 8).Pix) {
		t.Error("frames 7 to 12 depend on where the clip starts and on its length")
	}
	for name, other := range map[string]clips.Clip{
		"another video": clip(t, train, 4, 7, 6), "another start": clip(t, train, 3, 8, 6),
		"valid": clip(t, valid, 3, 7, 6), "test": clip(t, test, 3, 7, 6),
	} {
		if slices.Equal(base.Pix, other.Pix) {
			t.Errorf("%s gave the same clip", name)
		}
	}
	if slices.Equal(clip(t, valid, 3, 7, 6).Pix, clip(t, test, 3, 7, 6).Pix) {
		t.Error("valid and test gave the same clip")
	}
	for _, at := range [][3]int{{-1, 0, 1}, {train.Len(), 0, 1}, {0, -1, 2}, {0, train.Frames(0), 1}, {0, 0, 0}} {
		if _, err := train.Clip(at[0], at[1], at[2]); err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%d frames of video %d from frame %d on: error %v, want one that says what there is", at[2], at[0], at[1], err)
		}
	}
}

// Digits move on to the end as they did at the beginning: a step is as long as the speed says
// wherever nothing bounces.
func TestMotionIsExactAtTheLastFrame(t *testing.T) {
	d := open(t, config(nil), clips.Train)
	if last := clip(t, d, 5, d.Frames(5)-1, 1); slices.Max(last.Pix) < 200 {
		t.Errorf("the lightest pixel of the last frame is %d, want digits", slices.Max(last.Pix))
	}
	rng, whole := rand.New(rand.NewPCG(1, 1)), 0
	for range 100 {
		m := d.newMover(rng)
		x, _ := m.at(videoLen - 2)
		next, _ := m.at(videoLen - 1)
		if math.Abs(math.Abs(next-x)-math.Abs(m.vx)) <= 1e-6 {
			whole++
		}
	}
	if whole < 80 {
		t.Errorf("only %d of 100 digits move by their speed at the end", whole)
	}
}

// One digit's light is the same wherever it stands: nothing is cut off at an edge and nothing
// flickers.
func TestLightIsConservedAtEverySubPixelPosition(t *testing.T) {
	d := open(t, config(configs.Options{"digits": 1}), clips.Train)
	rapid.Check(t, func(t *rapid.T) {
		g := d.glyphs[rapid.IntRange(0, 9).Draw(t, "digit")]
		x := rapid.Float64Range(0, float64(64-g.size)).Draw(t, "x")
		y := rapid.Float64Range(0, float64(64-g.size)).Draw(t, "y")
		frame := clips.NewClip(1, 64, 64, 1)
		g.draw(frame, x, y, [3]float64{1, 1, 1})
		got, gotX, gotY := moments(frame.Pix, 64)
		want, wantX, wantY := moments(g.pix, g.size)
		if !(math.Abs(got/want-1) <= 0.005) {
			t.Fatalf("light %g, want %g", got, want)
		}
		if !(math.Abs(gotX-wantX-x) <= 0.05 && math.Abs(gotY-wantY-y) <= 0.05) {
			t.Fatalf("centre of light moved by (%g, %g), want (%g, %g)", gotX-wantX, gotY-wantY, x, y)
		}
	})
}

// moments returns the sum of the light and where its centre is.
func moments(pix []uint8, width int) (sum, x, y float64) {
	for i, v := range pix {
		sum += float64(v)
		x += float64(v) * float64(i%width)
		y += float64(v) * float64(i/width)
	}
	return sum, x / sum, y / sum
}

func TestMotionStaysInsideAndHasItsSpeed(t *testing.T) {
	d := open(t, config(configs.Options{"speed": []any{3.0, 4.0}}), clips.Train)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		m := d.newMover(rng)
		if speed := math.Hypot(m.vx, m.vy); !(speed >= 3-1e-9 && speed <= 4+1e-9) {
			t.Fatalf("speed %g, want 3 to 4", speed)
		}
		bounces := 0
		for f := range 100 {
			x, y := m.at(float64(f))
			if !(x >= 0 && x <= m.room && y >= 0 && y <= m.room) {
				t.Fatalf("frame %d: corner at (%g, %g), want 0 to %g", f, x, y, m.room)
			}
			nextX, _ := m.at(float64(f + 1))
			if inside := math.Abs(math.Abs(nextX-x)-math.Abs(m.vx)) < 1e-9; !inside {
				bounces++
			}
		}
		if limit := 2 + int(100*math.Abs(m.vx)/m.room); bounces > limit {
			t.Fatalf("%d bounces, want up to %d", bounces, limit)
		}
	}
}

func TestFold(t *testing.T) {
	for x, want := range map[float64]float64{0: 0, 3: 3, 10: 10, 12: 8, 20: 0, 23: 3, -4: 4, -13: 7, 1e6: 0} {
		if got := fold(x, 10); !(math.Abs(got-want) <= 1e-9) {
			t.Errorf("fold(%g, 10) = %g, want %g", x, got, want)
		}
	}
}

func TestDefaultsScaleWithTheFrame(t *testing.T) {
	c := config(nil)
	c.Data.Size = 32
	d := open(t, c, clips.Train)
	if d.o.DigitSize != 14 || d.o.Speed[0] != 1 || d.o.Speed[1] != 2.5 {
		t.Errorf("digit_size %d, speed %v, want 14, [1 2.5]", d.o.DigitSize, d.o.Speed)
	}
}

func TestColors(t *testing.T) {
	c := config(nil)
	c.Data.Channels = 3
	white := clip(t, open(t, c, clips.Train), 0, 1, 1)
	for i := 0; i < len(white.Pix); i += 3 {
		if white.Pix[i] != white.Pix[i+1] || white.Pix[i] != white.Pix[i+2] {
			t.Fatal("white digits have a colour")
		}
	}
	c.Data.Options = configs.Options{"color": "random"}
	colored, tinted := clip(t, open(t, c, clips.Train), 0, 1, 1), false
	for i := 0; i < len(colored.Pix); i += 3 {
		tinted = tinted || colored.Pix[i] != colored.Pix[i+1] || colored.Pix[i] != colored.Pix[i+2]
	}
	if !tinted {
		t.Error("colours are asked for, but all is grey")
	}
}

func TestBadOptionsAreNamed(t *testing.T) {
	for name, row := range map[string]struct {
		options configs.Options
		want    string
	}{
		"no digits":         {configs.Options{"digits": 0}, "data.options.digits: 0, want 1 to 100"},
		"digit fills frame": {configs.Options{"digit_size": 64}, "data.options.digit_size: 64, want"},
		"speed backwards":   {configs.Options{"speed": []any{4.0, 2.0}}, "data.options.speed: [4 2], want"},
		"one speed":         {configs.Options{"speed": []any{4.0}}, "data.options.speed: [4], want"},
		"NaN speed":         {configs.Options{"speed": []any{math.NaN(), 2.0}}, "data.options.speed"},
		"unknown color":     {configs.Options{"color": "red"}, `data.options.color: "red", want white or random`},
		"color of grey":     {configs.Options{"color": "random"}, "data.options.color: random has no effect"},
		"misspelled":        {configs.Options{"digitz": 1}, "digitz"},
		"no MNIST there":    {configs.Options{"mnist": "no/such/folder"}, "no train-images-idx3-ubyte or"},
	} {
		if _, err := New(config(row.options), clips.Train); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, row.want)
		}
	}
	if _, err := New(config(nil), "training"); err == nil {
		t.Error("an unknown split gave no error")
	}
}

// idxFile makes a file of n squares; all bytes of image i are i+1.
func idxFile(n, side int) []byte {
	out := binary.BigEndian.AppendUint32(nil, 0x803)
	for _, v := range []int{n, side, side} {
		out = binary.BigEndian.AppendUint32(out, uint32(v))
	}
	for i := range n {
		out = append(out, bytes.Repeat([]byte{byte(i + 1)}, side*side)...)
	}
	return out
}

// Training and validation share the first file and no image of it.
func TestMNISTFilesBySplit(t *testing.T) {
	dir := t.TempDir()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(idxFile(5, 28))
	z.Close()
	for name, content := range map[string][]byte{"train-images-idx3-ubyte": idxFile(24, 28), "t10k-images-idx3-ubyte.gz": zipped.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for split, want := range map[clips.Split][2]int{clips.Train: {1, 22}, clips.Valid: {23, 24}, clips.Test: {1, 5}} {
		d := open(t, config(configs.Options{"mnist": dir, "digit_size": 14, "digits": 1}), split)
		if got := [2]int{int(d.glyphs[0].pix[0]), int(d.glyphs[len(d.glyphs)-1].pix[0])}; got != want {
			t.Errorf("%s: images %v, want %v", split, got, want)
		}
		if got := int(slices.Max(clip(t, d, 0, 1, 2).Pix)); got < want[0]-1 || got > want[1] {
			t.Errorf("%s: the lightest pixel is %d, want one of %v", split, got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "train-images-idx3-ubyte"), idxFile(1, 28), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(config(configs.Options{"mnist": dir}), clips.Valid); err == nil || !strings.Contains(err.Error(), "one training image, want 2 or more") {
		t.Errorf("one image for two splits: error %v", err)
	}
}

func BenchmarkClip(b *testing.B) {
	d, err := New(config(nil), clips.Train)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := d.Clip(0, 0, 15); err != nil {
			b.Fatal(err)
		}
	}
}
