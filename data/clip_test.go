package data

import (
	"testing"

	"mcvd/data/clips"
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
				if got := clips.Byte(batch.Pix[k*len(clip.Pix)+i]); got != v {
					t.Fatalf("batch %d, clip %d: value %d is %d, want %d", n, k, i, got, v)
				}
			}
		}
	}
}
