package ranks

import (
	"cmp"
	"math"
	"runtime"
	"sync"
	"unsafe"
)

// Sums adds up vectors over ranks, a bucket at a time.
type Sums struct {
	ranks  *Ranks
	how    Exchange
	bucket int // how many values travel at a time
	// memory of a bucket: what is sent, what comes from each rank, and the sums
	send, recv, sums []byte
}

// bucket is how many values travel at a time. While they do, the next ones can be made ready.
const bucket = 1 << 22

// Exchange says how vectors are added up.
type Exchange struct {
	// InOrder adds the values of rank 0, 1, 2 and so on, so that the sums are the same bits whatever the
	// library is, and every time. Otherwise the library chooses the order.
	InOrder bool
	// Half sends bfloat16: half as many bytes, and a relative error of 2^-9 for each value and for each
	// sum. It is always in order.
	Half bool
}

// NewSums makes what adds up vectors.
func NewSums(r *Ranks, how Exchange) *Sums { return &Sums{ranks: r, how: how, bucket: bucket} }

// Mean makes x the mean over ranks, the same bits on all of them.
func (s *Sums) Mean(x []float32) error {
	nothing := func(int, int) error { return nil }
	return s.MeanOf(x, nothing, nothing)
}

// MeanOf is Mean for values that are made and used meanwhile: fill puts values from to to-1 into x before
// they are sent, and use takes their means. While a bucket travels, the next one is filled, and the one
// before is used.
func (s *Sums) MeanOf(x []float32, fill, use func(from, to int) error) error {
	var stages sync.WaitGroup
	defer stages.Wait()
	filled, summed := make(chan error), make(chan int)
	stop := make(chan struct{})
	defer close(stop)
	stages.Go(func() {
		for at := 0; at < len(x); at += s.bucket {
			err := fill(at, min(at+s.bucket, len(x)))
			select {
			case filled <- err:
			case <-stop:
				return
			}
		}
	})
	used := make(chan error, 1)
	go func() {
		var err error
		for at := range summed {
			if err == nil {
				err = use(at, min(at+s.bucket, len(x)))
			}
		}
		used <- err
	}()
	var err error
	for at := 0; at < len(x) && err == nil; at += s.bucket {
		if err = <-filled; err == nil {
			err = s.mean(x[at:min(at+s.bucket, len(x))])
		}
		if err == nil {
			summed <- at
		}
	}
	close(summed)
	return cmp.Or(err, <-used)
}

// mean makes one bucket the mean.
func (s *Sums) mean(x []float32) error {
	if !s.ranks.Several() {
		return nil
	}
	if err := s.add(x); err != nil {
		return err
	}
	share := 1 / float32(s.ranks.size)
	spread(len(x), func(from, to int) {
		for i := range x[from:to] {
			x[from+i] *= share
		}
	})
	return nil
}

// spread cuts n values into parts that are worked on side by side.
func spread(n int, work func(from, to int)) {
	const least = 1 << 16 // fewer take less time than starting a goroutine
	parts := max(1, min(runtime.GOMAXPROCS(0), n/least))
	var all sync.WaitGroup
	for p := range parts {
		all.Go(func() { work(p*n/parts, (p+1)*n/parts) })
	}
	all.Wait()
}

// add adds up one bucket. In order: every rank gets a part of the values of all ranks, adds them up, and
// gives the sums to all.
func (s *Sums) add(x []float32) error {
	if !s.how.InOrder && !s.how.Half {
		return s.ranks.network.add(x)
	}
	size, width := s.ranks.size, 4
	if s.how.Half {
		width = 2
	}
	each := (len(x) + size - 1) / size // values of a part; the last one may have fewer
	s.room(each * size * width)
	s.pack(s.send, x)
	if err := s.ranks.network.exchange(s.send, s.recv); err != nil {
		return err
	}
	sums := s.sums[:each*width]
	s.addParts(sums, s.recv, each)
	if err := s.ranks.network.gather(sums, s.recv); err != nil {
		return err
	}
	s.unpack(x, s.recv)
	return nil
}

// room makes the memory of a bucket that many bytes.
func (s *Sums) room(n int) {
	if cap(s.send) < n {
		s.send, s.recv, s.sums = make([]byte, n), make([]byte, n), make([]byte, n)
	}
	s.send, s.recv = s.send[:n], s.recv[:n]
}

// pack writes values, and zeros after the last one.
func (s *Sums) pack(to []byte, x []float32) {
	if !s.how.Half {
		clear(to[copy(to, Bytes(x)):])
		return
	}
	halves := halvesOf(to)
	clear(halves[len(x):])
	spread(len(x), func(a, b int) {
		out := halves[a:b]
		for i, v := range x[a:b] {
			out[i] = half(v)
		}
	})
}

func (s *Sums) unpack(x []float32, from []byte) {
	if !s.how.Half {
		copy(Bytes(x), from)
		return
	}
	halves := halvesOf(from)
	spread(len(x), func(a, b int) {
		out := x[a:b]
		for i, v := range halves[a:b][:len(out)] {
			out[i] = whole(v)
		}
	})
}

// addParts adds up the part that each rank sent, in float32, in the order of ranks.
func (s *Sums) addParts(to, parts []byte, each int) {
	if s.how.Half {
		s.addHalves(halvesOf(to), halvesOf(parts), each)
		return
	}
	sums, values := floatsOf(to), floatsOf(parts)
	spread(each, func(a, b int) {
		out := sums[a:b]
		copy(out, values[a:b])
		for k := 1; k < s.ranks.size; k++ {
			for i, v := range values[k*each+a:][:len(out)] {
				out[i] += v
			}
		}
	})
}

func (s *Sums) addHalves(to, parts []uint16, each int) {
	spread(each, func(a, b int) {
		sums := make([]float32, b-a)
		for k := range s.ranks.size {
			for i, v := range parts[k*each+a:][:len(sums)] {
				sums[i] += whole(v)
			}
		}
		for i, v := range sums {
			to[a+i] = half(v)
		}
	})
}

// half rounds to bfloat16, to even between two. What is not finite stays so.
func half(x float32) uint16 {
	bits := math.Float32bits(x)
	if x != x {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

func whole(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) }

// Bytes is the memory of numbers. Ranks must have the same order of bytes.
func Bytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

func halvesOf(x []byte) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/2)
}

func floatsOf(x []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/4)
}
