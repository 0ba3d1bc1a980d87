package data

import (
	"log/slog"
	"slices"
	"testing"

	"mcvd/configs"
)

// A clip by its position is the one in the batch.
func TestAClipByItsPositionIsTheOneInTheBatch(t *testing.T) {
	b := batches(fake{n: 10}, 5, 4, 2, true)
	for n := range 6 {
		batch := at(t, b, n)
		for k := range 4 {
			clip, err := b.Clip(4*n + k)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range clip.Pix {
				if got := batch.Pix[k*len(clip.Pix)+i]; got != v {
					t.Fatalf("batch %d, clip %d: value %d is %d, want %d", n, k, i, got, v)
				}
			}
		}
	}
}

// What happens to a clip depends on its position alone: in any batch and for any reader, again after a
// restart, and whether or not clips before it can be read.
func TestAugmentationIsAFunctionOfThePosition(t *testing.T) {
	c := experiment(5, 4, 6, true)
	c.Data.Augment = configs.Augment{Reverse: true, FlipVertical: true, Zoom: 0.4, Brightness: 0.3, Contrast: 0.3}
	ds := numbered{[]int{40, 30, 20}}
	b, changed := NewBatches(ds, c, slog.New(slog.DiscardHandler)), 0
	for position := range 24 {
		got, err := b.Clip(position)
		if err != nil {
			t.Fatal(err)
		}
		other := *c
		other.Train.Batch = 1 + position%3
		again, err := NewBatches(ds, &other, slog.New(slog.DiscardHandler)).Range(position/other.Train.Batch, position%other.Train.Batch, position%other.Train.Batch+1)
		if err != nil || !slices.Equal(again.Pix, got.Pix) {
			t.Fatalf("position %d differs in batches of %d, %v", position, other.Train.Batch, err)
		}
		plain, err := Cut(ds, got.At, 6)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(plain.Pix, got.Pix) {
			changed++
		}
	}
	if changed < 20 {
		t.Errorf("only %d of 24 clips are changed", changed)
	}
}
