package eval

import (
	"slices"

	"mcvd/configs"
)

// there is the frames that exist while a list of windows is made: those given from the beginning,
// -past to -1 and n to n+future-1, those of Job.Given, and those that windows
// have made.
type there struct {
	n, past, future int
	made            []bool
	// keys are the frames from 0 on that were there at the last [there.settle], in order. Those that
	// are given after the video are among them.
	keys []int
}

func newThere(j Job, model configs.Frames) *there {
	t := &there{n: j.Frames, made: make([]bool, j.Frames)}
	if j.Task.Past {
		t.past = model.Past
	}
	if j.Task.Future {
		t.future = model.Future
	}
	for _, i := range j.Given {
		if i >= 0 && i < j.Frames {
			t.made[i] = true
		}
	}
	t.settle()
	return t
}

// settle makes keys of all frames from 0 on.
func (t *there) settle() {
	t.keys = t.keys[:0]
	for i := range t.n + t.future {
		if t.has(i) {
			t.keys = append(t.keys, i)
		}
	}
}

// has says whether frame i exists.
func (t *there) has(i int) bool {
	if i < 0 || i >= t.n {
		return i >= -t.past && i < t.n+t.future
	}
	return t.made[i]
}

// add notes the frames that a window keeps, and returns it.
func (t *there) add(w Window) Window {
	for _, i := range w.Make {
		if i != None {
			t.made[i] = true
		}
	}
	return w
}

// before is the k last frames that exist before frame i, in order, behind a [None] for each that is
// missing.
func (t *there) before(i, k int) []int {
	found := make([]int, 0, k)
	for i--; i >= -t.past && len(found) < k; i-- {
		if t.has(i) {
			found = append(found, i)
		}
	}
	for len(found) < k {
		found = append(found, None)
	}
	slices.Reverse(found)
	return found
}

// after is the first k keys after frame i, followed by a [None] for each that is missing.
func (t *there) after(i, k int) []int {
	at, _ := slices.BinarySearch(t.keys, i+1)
	found := append(make([]int, 0, k), t.keys[at:min(at+k, len(t.keys))]...)
	for len(found) < k {
		found = append(found, None)
	}
	return found
}

// gap is frames from to to (exclusive) that don't exist, between two that do or at an end of the
// video.
type gap struct{ from, to int }

// gaps are those between the keys.
func (t *there) gaps() (all []gap) {
	from := 0
	for _, key := range append(t.keys[:len(t.keys):len(t.keys)], t.n) {
		if key = min(key, t.n); key > from {
			all = append(all, gap{from, key})
		}
		from = key + 1
	}
	return all
}
