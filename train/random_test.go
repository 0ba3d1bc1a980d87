package train

import "testing"

// Every stream, step and batch of a seed draws numbers of its own, in graphs as on the host.
func TestStreamsDrawOtherNumbers(t *testing.T) {
	type place struct{ seed, stream, step, batch uint64 }
	seen := map[uint64]place{}
	for _, seed := range []uint64{0, 1} {
		for _, stream := range []uint64{trainingStream, validationStream, levelStream} {
			for _, step := range []uint64{0, 1, 2, 1 << 16, 1<<31 - 1} {
				for _, batch := range []uint64{0, 1, 1<<16 - 1} {
					at := place{seed, stream, step, batch}
					first := source(seed, stream, step, batch).Uint64()
					if other, ok := seen[first]; ok {
						t.Errorf("%+v and %+v draw the same numbers", other, at)
					}
					seen[first] = at
				}
			}
		}
	}
	c := toy()
	state := stateOf(c, 3, 1).Value().([]uint64)
	if levels := levelsOf(c, 3, 1).Uint64(); state[0] == levels {
		t.Error("the graph of a training step draws the numbers of its levels")
	}
	if again := stateOf(c, 3, 1).Value().([]uint64); again[0] != state[0] || again[1] == again[0] {
		t.Errorf("states %v and %v of one step", state, again)
	}
}
