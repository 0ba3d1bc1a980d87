package ranks

import (
	"errors"
	"fmt"
	"sync"
)

// Local makes n ranks within one process, each for a goroutine of its own. Tests use them.
func Local(n int) []*Ranks {
	h := &hall{size: n, sends: make([][]byte, n)}
	h.all = sync.NewCond(&h.mu)
	ranks := make([]*Ranks, n)
	for k := range ranks {
		ranks[k] = &Ranks{network: &seat{h, k}, number: k, size: n, name: "none"}
	}
	return ranks
}

// hall is where local ranks meet.
type hall struct {
	size  int
	mu    sync.Mutex
	all   *sync.Cond
	sends [][]byte
	kind  string // of this meeting, with the bytes that each brings
	here  int    // how many have come to it
	gone  int    // how many have left it
	ended error
}

// seat is a rank's place in it.
type seat struct {
	*hall
	number int
}

// meet waits for all ranks, each with something to send, then lets each read what all sent, and waits
// until all have.
func (s *seat) meet(kind string, send []byte, read func(sends [][]byte)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.gone > 0 && s.ended == nil { // from the meeting before
		s.all.Wait()
	}
	if kind = fmt.Sprintf("%s of %d bytes", kind, len(send)); s.here > 0 && kind != s.kind && s.ended == nil {
		s.ended = fmt.Errorf("rank %d comes to a %s, others to a %s", s.number, kind, s.kind)
		s.all.Broadcast()
		return s.ended
	}
	s.kind, s.sends[s.number] = kind, send
	if s.here++; s.here == s.size {
		s.gone = s.size
		s.all.Broadcast()
	}
	for s.gone == 0 && s.ended == nil {
		s.all.Wait()
	}
	if s.ended != nil {
		return s.ended
	}
	if read != nil {
		read(s.sends)
	}
	s.here--
	for s.here > 0 && s.ended == nil { // what they read is somebody's memory
		s.all.Wait()
	}
	if s.gone--; s.gone == 0 || s.here == 0 {
		s.all.Broadcast()
	}
	return s.ended
}

func (s *seat) gather(send, recv []byte) error {
	return s.meet("gathering", send, func(sends [][]byte) {
		for k, x := range sends {
			copy(recv[k*len(x):], x)
		}
	})
}

func (s *seat) exchange(send, recv []byte) error {
	return s.meet("exchange", send, func(sends [][]byte) {
		each := len(send) / s.size
		for k, x := range sends {
			copy(recv[k*each:], x[s.number*each:][:each])
		}
	})
}

func (s *seat) add(x []float32) error {
	own := append([]float32(nil), x...)
	clear(x)
	return s.meet("sum", Bytes(own), func(sends [][]byte) {
		for _, other := range sends {
			for i, v := range floatsOf(other) {
				x[i] += v
			}
		}
	})
}

func (s *seat) broadcast(x []byte) error {
	return s.meet("broadcast", x, func(sends [][]byte) {
		if s.number > 0 {
			copy(x, sends[0])
		}
	})
}

func (s *seat) tell(why string, status int) { s.end(CantGoOnError{status, why}) }
func (s *seat) lost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended != nil
}
func (s *seat) leave() error   { return s.meet("leaving", nil, nil) }
func (s *seat) waiting(func()) {}
func (s *seat) abort(int)      { s.end(errors.New("a rank has ended")) }

// end makes all meetings fail from now on.
func (s *seat) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = err
	}
	s.all.Broadcast()
}
