package digits

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
)

// The light in a frame does not depend on where a digit is, so it tells which digit it is, but for 6
// and 9, which are nearly the same upside down.
func TestLabelsAreTheDigitsInTheFrame(t *testing.T) {
	d := open(t, config(configs.Options{"digits": 1}), clips.Valid)
	light := func(pix []uint8) float64 { sum, _, _ := moments(pix, 1); return sum }
	if len(d.Classes()) != len(d.glyphs) {
		t.Fatalf("classes %q", d.Classes())
	}
	seen := map[string]bool{}
	for video := range 100 {
		labels := d.Labels(video)
		if len(labels) != 1 {
			t.Fatalf("video %d of one digit has labels %q", video, labels)
		}
		seen[labels[0]] = true
		digit, err := strconv.Atoi(labels[0])
		if err != nil {
			t.Fatal(err)
		}
		of := light(clip(t, d, video, 0, 1).Pix)
		for other, g := range d.glyphs {
			if far := math.Abs(of/light(g.pix) - 1); other == digit && !(far <= 0.01) {
				t.Errorf("video %d: the light is %g of that of its label %d", video, 1+far, digit)
			}
		}
	}
	if len(seen) != 10 {
		t.Errorf("100 videos show %d digits", len(seen))
	}
}

// Of several digits each is named once, and they are those that the videos with one digit less have,
// and another.
func TestLabelsOfSeveralDigits(t *testing.T) {
	two, one := open(t, config(nil), clips.Test), open(t, config(configs.Options{"digits": 1}), clips.Test)
	twice := false
	for video := range 100 {
		labels, first := two.Labels(video), one.Labels(video)[0]
		twice = twice || len(labels) == 1
		if len(labels) > 2 || !slices.Contains(labels, first) || len(labels) == 2 && labels[0] == labels[1] {
			t.Errorf("video %d: labels %q, the first digit is %s", video, labels, first)
		}
	}
	if !twice {
		t.Error("no video of 100 shows a digit twice")
	}
}
