package metric

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"mcvd/data/clips"
	"mcvd/data/digits"
)

// moving is a digit of the font at random places of a frame of 64x64, halved to side x side: as a
// clip of the demo shows it.
func moving(t *testing.T, rng *rand.Rand, digit, box, side, frames int) clips.Clip {
	t.Helper()
	clip := clips.NewClip(frames, side, side, 1)
	for i := range frames {
		room := float64(64 - box)
		copy(clip.Slice(i, i+1).Pix, still(t, digit, box, side, rng.Float64()*room, rng.Float64()*room).Pix)
	}
	return clip
}

// still is one frame of it: the digit with its box's corner at (x, y) of 64x64 pixels.
func still(t *testing.T, digit, box, side int, x, y float64) clips.Clip {
	t.Helper()
	font, err := digits.NewFont(box)
	if err != nil {
		t.Fatal(err)
	}
	whole := clips.NewClip(1, 64, 64, 1)
	font.Draw(whole, digit, x, y)
	frame, part := clips.NewClip(1, side, side, 1), 64/side
	for i := range frame.Pix {
		sum := 0
		for k := range part * part {
			sum += int(whole.Pix[(i/side*part+k/part)*64+i%side*part+k%part])
		}
		frame.Pix[i] = uint8(sum / (part * part))
	}
	return frame
}

// digitScore is a video's score.
func digitScore(real, made clips.Clip) (Score, error) {
	scores, err := (&digitReader{}).Score([]clips.Clip{real}, []clips.Clip{made})
	if err != nil {
		return Score{}, err
	}
	return scores[0], nil
}

// digitShare is its value.
func digitShare(real, made clips.Clip) (float64, error) {
	s, err := digitScore(real, made)
	return s.Value, err
}

// A real video that stands in several pairs has the scores that it has alone.
func TestRealVideosAreReadOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	a, b, black := moving(t, rng, 7, 40, 16, 2), moving(t, rng, 2, 40, 16, 2), clips.NewClip(2, 16, 16, 1)
	scores, err := (&digitReader{}).Score([]clips.Clip{a, a, b, black, a, b}, []clips.Clip{a, b, b, a, black, a})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1, 0, 1, -1, 0, 0} {
		if s := scores[i]; s.Skipped == "" && s.Value != want || (s.Skipped != "") != (want < 0) {
			t.Errorf("pair %d: %+v, want %g", i, s, want)
		}
	}
}

func TestDigitsAreReadInFramesOf16Pixels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, box := range []int{36, 40, 44, 48} {
		for digit := range 10 {
			video := moving(t, rng, digit, box, 16, 5)
			gotBox, got, clear, err := (&digitReader{}).readVideo(video)
			if err != nil || got != digit || !(clear >= clearDigit) {
				t.Errorf("box %d: digit %d in a box of %d reads as %d in one of %d, correlation %.3f (%v)", box, digit, box/4, got, gotBox, clear, err)
			}
			if right, err := digitShare(video, video); err != nil || right != 1 {
				t.Errorf("box %d: %g (%v) of the frames of a %d read as it, want all", box, right, err, digit)
			}
		}
	}
}

func TestAnotherDigitAndNoDigitAreWrong(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	real := moving(t, rng, 7, 40, 16, 4)
	made := moving(t, rng, 7, 40, 16, 4)
	copy(made.Slice(1, 2).Pix, moving(t, rng, 2, 40, 16, 1).Pix)
	copy(made.Slice(3, 4).Pix, make([]uint8, 16*16))
	got, err := digitScore(real, made)
	if want := "[1 0 1 0]"; err != nil || fmt.Sprint(got.Frames) != want {
		t.Errorf("frames %v (%v), want %s: the digit, another, the digit elsewhere, black", got.Frames, err, want)
	}
	if share, err := digitShare(real, made); err != nil || share != 0.5 {
		t.Errorf("video %g (%v), want 0.5", share, err)
	}
}

func TestLargerFramesAreReadToo(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, side := range []int{32, 64} {
		for _, digit := range []int{3, 8} {
			real := moving(t, rng, digit, 36, side, 3)
			if got, err := digitShare(real, real); err != nil || got != 1 {
				t.Errorf("%d pixels: %g (%v) of the frames of a real %d are right, want 1", side, got, err, digit)
			}
			if got, err := digitShare(real, moving(t, rng, 5, 36, side, 3)); err != nil || got != 0 {
				t.Errorf("%d pixels: %g (%v) of the frames of a 5 are right, want 0 for a %d", side, got, err, digit)
			}
		}
	}
}

func TestVideosOfSomethingElseHaveNoDigit(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	noise := clips.NewClip(2, 16, 16, 1)
	for i := range noise.Pix {
		noise.Pix[i] = uint8(rng.IntN(256))
	}
	two := still(t, 1, 24, 16, 2, 2)
	for i, v := range still(t, 8, 24, 16, 38, 37).Pix {
		two.Pix[i] = max(two.Pix[i], v)
	}
	for name, c := range map[string]struct {
		real clips.Clip
		want string
	}{
		"noise":  {noise, "isn't one digit"},
		"two":    {two, "isn't one digit"},
		"black":  {clips.NewClip(2, 16, 16, 1), "isn't one digit"},
		"colour": {clips.NewClip(2, 16, 16, 3), "want square grey ones"},
		"oblong": {clips.NewClip(2, 16, 24, 1), "want square grey ones"},
		"tiny":   {clips.NewClip(2, 4, 4, 1), "isn't one digit"},
	} {
		s, err := digitScore(c.real, c.real)
		if err != nil || !strings.Contains(s.Skipped, c.want) {
			t.Errorf("%s: %+v, %v, want a skipped score that says %q", name, s, err, c.want)
		}
	}
}
