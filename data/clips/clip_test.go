package clips

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFloatRoundTrip(t *testing.T) {
	c := NewClip(1, 16, 16, 1)
	for i := range c.Pix {
		c.Pix[i] = uint8(i)
	}
	floats := ToFloat(c)
	if floats[0] != -1 || floats[255] != 1 {
		t.Errorf("0 and 255 became %g and %g, want -1 and 1", floats[0], floats[255])
	}
	back, err := ToClip(floats, 1, 16, 16, 1)
	if err != nil || !bytes.Equal(back.Pix, c.Pix) {
		t.Errorf("bytes came back as %v, %v", back.Pix, err)
	}
	if _, err := ToClip(floats, 2, 16, 16, 1); err == nil || !strings.Contains(err.Error(), "256 values, want 512") {
		t.Errorf("too few values: %v", err)
	}
}

func TestByteClampsAndRoundsToTheNearest(t *testing.T) {
	inf := float32(math.Inf(1))
	for x, want := range map[float32]uint8{-1: 0, 1: 255, -7: 0, 7: 255, inf: 255, -inf: 0, 0: 128, -0.9999: 0} {
		if got := Byte(x); got != want {
			t.Errorf("Byte(%g) = %d, want %d", x, got, want)
		}
	}
	if got := Byte(float32(math.NaN())); got != 0 {
		t.Errorf("Byte(NaN) = %d, want 0", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float32Range(-1, 1).Draw(t, "x")
		if d := math.Abs(float64(Float(Byte(x)) - x)); !(d <= 1/255.0+1e-6) {
			t.Fatalf("Float(Byte(%g)) is off by %g, want up to half a level", x, d)
		}
	})
}

func TestSplitCheck(t *testing.T) {
	for _, s := range Splits() {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
	if err := Split("validation").Check(); err == nil {
		t.Error("validation is no split, but gave no error")
	}
}

// The published rule darkens 63 of the bytes by one, and has the same ends.
func TestFloor(t *testing.T) {
	darker := 0
	for v := range 256 {
		switch got := Floor(Float(uint8(v))); got {
		case uint8(v):
		case uint8(v - 1):
			darker++
		default:
			t.Errorf("%d becomes %d", v, got)
		}
	}
	if darker != 63 {
		t.Errorf("%d bytes become darker, want 63", darker)
	}
	for x, want := range map[float32]uint8{-1: 0, -2: 0, 1: 255, 2: 255, 0: 127, float32(math.NaN()): 0} {
		if got := Floor(x); got != want {
			t.Errorf("Floor(%g) = %d, want %d", x, got, want)
		}
	}
}

func TestPart(t *testing.T) {
	all := make([]int, 100)
	for i := range all {
		all[i] = i
	}
	for n := range 101 {
		for _, valid := range []float64{0.001, 0.05, 0.5} {
			train, validation := Part(all[:n], Train, valid), Part(all[:n], Valid, valid)
			both := slices.Sorted(slices.Values(slices.Concat(train, validation)))
			want := min(max(1, int(valid*float64(n)+0.5)), max(0, n-1))
			if !slices.Equal(both, all[:n]) || len(validation) != want {
				t.Fatalf("%g of %d: %d for validation, %d together, want %d", valid, n, len(validation), len(both), want)
			}
		}
	}
	if got := Part([]string{"a", "b", "c", "d"}, Valid, 0.5); !slices.Equal(got, []string{"b", "d"}) {
		t.Errorf("%v, want b and d", got)
	}
}

func TestTheFolderOfASplit(t *testing.T) {
	root := t.TempDir()
	if below, own := Folder(root, Valid); below != "." || own {
		t.Errorf("without folders: %q, %t", below, own)
	}
	if err := os.WriteFile(filepath.Join(root, "train"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if below, own := Folder(root, Train); below != "." || own {
		t.Errorf("with a file in its place: %q, %t", below, own)
	}
	if err := os.Mkdir(filepath.Join(root, "test"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, s := range Splits() { // one folder is enough to say that splits are folders
		if below, own := Folder(root, s); below != string(s) || !own {
			t.Errorf("%s: %q, %t", s, below, own)
		}
	}
}
