package data

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Readers, such as hosts, that each make a range of every batch see together the batches of one
// reader, each clip once, also when all of them begin again at any step.
func TestReadersTogetherSeeOneOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ds := fake{n: rapid.IntRange(1, 40).Draw(t, "videos")}
		seed, flip := rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "flip")
		const batch, steps = 8, 12
		whole := batches(ds, seed, batch, 3, flip)
		restart := rapid.IntRange(0, steps-1).Draw(t, "restart")
		for _, readers := range []int{1, 2, 4, 8} {
			share := batch / readers
			for n := restart; n < steps; n++ {
				want, err := whole.At(n)
				if err != nil {
					t.Fatal(err)
				}
				var got []uint8
				for reader := range readers {
					// A Batches of its own: a reader knows nothing of the steps before the restart.
					part, err := batches(ds, seed, batch, 3, flip).Range(n, reader*share, (reader+1)*share)
					if err != nil {
						t.Fatal(err)
					}
					if part.Batch != share {
						t.Fatalf("%d clips, want %d", part.Batch, share)
					}
					got = append(got, part.Pix...)
				}
				if !slices.Equal(got, want.Pix) {
					t.Fatalf("batch %d differs between one reader and %d", n, readers)
				}
			}
		}
	})
}

func TestARangeOutsideOfABatchPanics(t *testing.T) {
	b := batches(fake{n: 3}, 1, 4, 2, false)
	for _, r := range [][2]int{{-1, 2}, {2, 2}, {3, 2}, {0, 5}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("clips %d to %d of 4: no panic", r[0], r[1]-1)
				}
			}()
			b.Range(0, r[0], r[1])
		}()
	}
}

// The order of an epoch takes no memory, however many videos there are: a place is computed, no
// list is shuffled.
func TestTheOrderOfABillionVideosTakesNoMemory(t *testing.T) {
	const n = 1_000_000_000
	sum := 0
	allocated := testing.AllocsPerRun(100, func() {
		p := newPermutation(n, 7)
		sum += p.at(0) + p.at(n/2) + p.at(n-1)
	})
	if allocated != 0 {
		t.Errorf("%g allocations, want 0", allocated)
	}
	b := batches(fake{n: n}, 7, 4, 2, true)
	seen := map[int]bool{}
	for k := range 1000 {
		at, _ := b.place(n+k, 0) // the second epoch
		if at.Video < 0 || at.Video >= n || seen[at.Video] {
			t.Fatalf("place %d: video %d, outside or taken", k, at.Video)
		}
		seen[at.Video] = true
	}
	if sum < 0 {
		t.Error("a place below 0")
	}
}
