package eval

import (
	"slices"
	"testing"

	"mcvd/data/clips"
	"mcvd/data/video"
)

// numbered is n frames of 1x1, the first of the given value, each one more than the one before.
func numbered(first, n int) clips.Clip {
	c := clips.NewClip(n, 1, 1, 1)
	for i := range c.Pix {
		c.Pix[i] = uint8(first + i)
	}
	return c
}

// newNumbered is a film whose frame i has the value i; the real frame in its place has 100 more.
func newNumbered(t *testing.T, n int) *film {
	t.Helper()
	f, err := newFilm(t.TempDir(), "film", Case{Past: numbered(0, 2), Real: numbered(102, n), Future: numbered(2+n, 1)}, Job{Frames: n}, 1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.made.Close() })
	for i := range n { // backwards, as retrodiction makes them
		at := n - 1 - i
		if err := f.put(at, Frame{clips.Float(uint8(2 + at))}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestAFilmsFramesAreInOrderNextToTheRealOnes(t *testing.T) {
	f := newNumbered(t, 4)
	var made, reals []uint8
	var marks []video.Mark
	err := f.each(func(frame, real clips.Clip, mark video.Mark) error {
		made, reals, marks = append(made, frame.Pix...), append(reals, real.Pix...), append(marks, mark)
		return nil
	})
	if err != nil || !slices.Equal(made, []uint8{0, 1, 2, 3, 4, 5, 6}) || !slices.Equal(reals, []uint8{0, 1, 102, 103, 104, 105, 6}) {
		t.Errorf("made %v, real %v, %v", made, reals, err)
	}
	if g, m := video.Given, video.Generated; !slices.Equal(marks, []video.Mark{g, g, m, m, m, m, g}) {
		t.Errorf("marks %v", marks)
	}
}

// A sheet shows all frames of short films, the first and the last made ones of long films, each
// with its own number.
func TestExcerpt(t *testing.T) {
	for _, n := range []int{4, maxShown, maxShown + 1, 50} {
		f := newNumbered(t, n)
		made, numbers, err := f.excerpt(false)
		if err != nil {
			t.Fatal(err)
		}
		real, _, err := f.excerpt(true)
		if err != nil {
			t.Fatal(err)
		}
		if want := 3 + min(n, maxShown); made.Frames != want || real.Frames != want || len(numbers) != want {
			t.Fatalf("%d frames: %d made, %d real, %d numbers, want %d", n, made.Frames, real.Frames, len(numbers), want)
		}
		for i, number := range numbers {
			wantReal := number
			if number >= 2 && number < 2+n {
				wantReal += 100
			}
			if int(made.Pix[i]) != number || int(real.Pix[i]) != wantReal {
				t.Errorf("%d frames: column %d, number %d, shows %d above %d", n, i, number, real.Pix[i], made.Pix[i])
			}
		}
		if numbers[0] != 0 || numbers[len(numbers)-1] != 2+n || !slices.IsSorted(numbers) {
			t.Errorf("%d frames: numbers %v", n, numbers)
		}
	}
}

// Given frames are marked in both rows, made ones in theirs only.
func TestRowsAreMarked(t *testing.T) {
	c := Case{Past: numbered(0, 2), Future: numbered(5, 1)}
	g, m, p := video.Given, video.Generated, video.Plain
	if row := madeRow("made", numbered(0, 5), c, nil); !slices.Equal(row.Marks, []video.Mark{g, g, m, m, g}) {
		t.Errorf("made frames have marks %v", row.Marks)
	}
	if row := realRow(numbered(0, 5), c, nil); !slices.Equal(row.Marks, []video.Mark{g, g, p, p, g}) {
		t.Errorf("real frames have marks %v", row.Marks)
	}
}
