package clips

import "testing"

// named is a data set of which only the names matter.
type named []string

func (n named) Len() int                               { return len(n) }
func (n named) Name(i int) string                      { return n[i] }
func (n named) Frames(int) int                         { return 0 }
func (n named) Clip(int, int, int) (c Clip, err error) { return c, nil }

// known is one that knows its persons.
type known struct{ named }

func (known) Person(i int) int { return 7 }

func TestPersonsByNames(t *testing.T) {
	for name, want := range map[string]int{
		"walking/person01_walking_d1_uncomp.avi":   1,
		"person25_boxing_d4_uncomp.avi:2":          25,
		"train/jogging/person13_jogging_d2_uncomp": 13,
		"person00_boxing_d4_uncomp.avi":            0,
		"person26_boxing_d4_uncomp.avi":            0,
		"aperson01_walking_d1_uncomp.avi":          0,
		"person01_walking.avi":                     0,
		"shard_0001.hdf5:1":                        0,
	} {
		if got := Person(named{name}, 0); got != want {
			t.Errorf("%s: person %d, want %d", name, got, want)
		}
	}
	if got := Person(known{named{"person01_walking_d1_uncomp.avi"}}, 0); got != 7 {
		t.Errorf("person %d, want 7, as the data set says", got)
	}
}
