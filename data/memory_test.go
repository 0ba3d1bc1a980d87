package data

import (
	"context"
	"slices"
	"testing"

	"mcvd/data/clips"
)

// reader is a fake data set that reads into memory that it is given.
type reader struct {
	fake
	reads *int // calls of Read; not for several goroutines
}

func (reader) Frame() (height, width, channels int) { return 1, 3, 1 }

func (r reader) Read(video, start int, pix []uint8) error {
	if r.reads != nil {
		*r.reads++
	}
	for i := range pix {
		pix[i] = 0xdd // it may fail with anything in its place
	}
	c, err := r.Clip(video, start, len(pix)/3)
	if err == nil {
		copy(pix, c.Pix)
	}
	return err
}

// Batches in memory that is used again are those in new memory, flipped or not, and when a clip
// that can't be read has left anything in its place.
func TestMemoryIsUsedAgain(t *testing.T) {
	for _, flip := range []bool{false, true} {
		for _, ds := range []clips.Dataset{fake{n: 5}, reader{fake: fake{n: 5}}, fake{n: 5, bad: 2}, reader{fake: fake{n: 5, bad: 2}}} {
			skipping := func() *Batches {
				b := batches(ds, 3, 4, 2, flip)
				b.unreadable.fail = false
				return b
			}
			fresh, again := skipping(), skipping()
			var memory []*uint8
			for n := range 20 {
				want, got := at(t, fresh, n), at(t, again, n)
				if !equal(got, want) {
					t.Fatalf("%T, flip %t: batch %d is %v, want %v", ds, flip, n, got.Pix, want.Pix)
				}
				if !slices.Contains(memory, &got.Pix[0]) {
					memory = append(memory, &got.Pix[0])
				}
				for i := range got.Pix {
					got.Pix[i] = 0xee
				}
				got.Free()
				got.Free() // the second time it frees nothing
			}
			if len(memory) != 1 {
				t.Errorf("%T, flip %t: 20 batches took memory %d times, want once", ds, flip, len(memory))
			}
		}
	}
}

// Each clip is read to its place in the batch.
func TestClipsAreReadToTheirPlaces(t *testing.T) {
	reads := 0
	at(t, batches(reader{fake{n: 5}, &reads}, 3, 4, 2, false), 0)
	if reads != 4 {
		t.Errorf("4 clips were read to their places %d times", reads)
	}
}

// A batch that was freed twice gives its memory to one other batch, not to two.
func TestMemoryIsFreedOnce(t *testing.T) {
	b := batches(reader{fake: fake{n: 5}}, 3, 4, 2, false)
	first := at(t, b, 0)
	first.Free()
	first.Free()
	if one, two := at(t, b, 1), at(t, b, 2); &one.Pix[0] == &two.Pix[0] {
		t.Error("two batches lie in the same memory")
	}
}

// Batches that are prepared ahead never lie in memory that is still in use.
func TestPreparedBatchesUseMemoryAgain(t *testing.T) {
	want := batches(reader{fake: fake{n: 9}}, 3, 4, 2, true)
	n := 0
	for b, err := range batches(reader{fake: fake{n: 9}}, 3, 4, 2, true).Each(context.Background(), 0, 3) {
		if err != nil {
			t.Fatal(err)
		}
		if !equal(b, at(t, want, n)) {
			t.Fatalf("batch %d differs", n)
		}
		for i := range b.Pix {
			b.Pix[i] = 0xee
		}
		b.Free()
		if n++; n == 200 {
			break
		}
	}
}
