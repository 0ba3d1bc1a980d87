package data

import (
	"fmt"
	"slices"
	"testing"

	"mcvd/data/clips"
)

// named is a data set whose videos are labelled with their numbers.
type named struct{ broken }

func (named) Classes() []string     { return []string{"0", "1", "2", "3", "4", "5"} }
func (named) Labels(i int) []string { return []string{fmt.Sprint(i)} }

// The labels of a batch are those of the videos that are in it, also of one that stands for another,
// and through a stride. Frames are the same with labels and without.
func TestLabelsOfABatch(t *testing.T) {
	ds := named{damaged(6, 2, 3)}
	for i, set := range []clips.Dataset{ds, strided{ds, 3}} {
		labelled, _ := skipping(set, 5, 8)
		plain, _ := skipping(damaged(6, 2, 3), 5, 8)
		for n := range 4 {
			batch, err := labelled.At(n)
			if err != nil {
				t.Fatal(err)
			}
			if len(batch.Labels) != batch.Batch {
				t.Fatalf("%d labels of %d clips", len(batch.Labels), batch.Batch)
			}
			for k, labels := range batch.Labels {
				// Clips are mirrored, so the number is the first pixel or the last.
				pix := batch.clip(k)[:3]
				if video := fmt.Sprint(pix[0] + pix[2]); !slices.Equal(labels, []string{video}) {
					t.Errorf("batch %d, clip %d: labels %q, want %q", n, k, labels, video)
				}
			}
			if same, err := plain.At(n); i == 0 && (err != nil || same.Labels != nil || !slices.Equal(same.Pix, batch.Pix)) {
				t.Errorf("batch %d: frames depend on labels, or there are some without (error %v)", n, err)
			}
		}
	}
}
