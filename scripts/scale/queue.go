package main

// queue has the members that still send, the earliest first; of those at the same time, the one with the
// lower number. It is a heap: an exchange between 1,024 ranks takes two million messages from it.
type queue []entry

type entry struct {
	time   float64
	member int
}

func newQueue(at []float64) queue {
	q := make(queue, len(at))
	for i, time := range at {
		q[i] = entry{time, i}
	}
	for i := len(q)/2 - 1; i >= 0; i-- {
		q.sink(i)
	}
	return q
}

// delay gives the first member a later time.
func (q queue) delay(time float64) {
	q[0].time = time
	q.sink(0)
}

// drop takes the first member away.
func (q *queue) drop() {
	last := len(*q) - 1
	(*q)[0] = (*q)[last]
	*q = (*q)[:last]
	q.sink(0)
}

// sink moves an entry down to where none below it is earlier.
func (q queue) sink(i int) {
	for {
		child := 2*i + 1
		if child+1 < len(q) && q[child+1].before(q[child]) {
			child++
		}
		if child >= len(q) || q[i].before(q[child]) {
			return
		}
		q[i], q[child] = q[child], q[i]
		i = child
	}
}

func (e entry) before(f entry) bool {
	return e.time < f.time || e.time == f.time && e.member < f.member
}
