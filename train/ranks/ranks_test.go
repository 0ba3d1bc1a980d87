package ranks

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// each runs something in every rank, and fails with the first error.
func each(t *testing.T, n int, do func(r *Ranks) error) {
	t.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for k, r := range Local(n) {
		all.Go(func() {
			errs[k] = do(r)
			r.Leave(errs[k], 1)
		})
	}
	all.Wait()
	for k, err := range errs {
		if err != nil {
			t.Fatalf("rank %d: %v", k, err)
		}
	}
}

// fewer values than usual travel at a time in tests.
const fewer = 1 << 17

// values are those of a rank, of very different sizes.
func values(rank, n int) []float32 {
	rng := rand.New(rand.NewPCG(1, uint64(rank)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * math.Pow(10, float64(i%9-4)))
	}
	return x
}

// Means are those of the sums in the order of ranks, to the bit; of bfloat16 they are as near as two
// roundings allow; of the library, as near as float32 allows. The copies are made meanwhile.
func TestMeans(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5} {
		for _, size := range []int{1, 7, 3*fewer + 1} {
			want, magnitude := make([]float32, size), make([]float64, size)
			for k := range n {
				for i, v := range values(k, size) {
					want[i] += v
					magnitude[i] += math.Abs(float64(v))
				}
			}
			for i := range want {
				if n > 1 {
					want[i] *= 1 / float32(n)
				}
			}
			for _, how := range []Exchange{{InOrder: true}, {Half: true}, {}} {
				each(t, n, func(r *Ranks) error {
					own, x, got := values(r.Number(), size), make([]float32, size), make([]float32, size)
					s := NewSums(r, how)
					s.bucket = fewer
					err := s.MeanOf(x, func(from, to int) error { copy(x[from:to], own[from:to]); return nil },
						func(from, to int) error { copy(got[from:to], x[from:to]); return nil })
					if err != nil {
						return err
					}
					for i, v := range got {
						within := 0.0
						switch {
						case n == 1:
						case how.Half:
							within = magnitude[i] / float64(n) / 128
						case !how.InOrder:
							within = magnitude[i] * 1e-6
						}
						if d := math.Abs(float64(v - want[i])); !(d <= within) {
							return fmt.Errorf("%+v: value %d of %d is %g, want %g", how, i, size, v, want[i])
						}
					}
					return nil
				})
			}
		}
	}
}

// What can't be filled or used ends a mean with the reason.
func TestMeansThatFail(t *testing.T) {
	gone := errors.New("the device is gone")
	nothing := func(int, int) error { return nil }
	fails := func(from, _ int) error {
		if from > 0 {
			return gone
		}
		return nil
	}
	s := NewSums(nil, Exchange{})
	s.bucket = fewer
	x := make([]float32, 3*fewer)
	if err := s.MeanOf(x, fails, nothing); !errors.Is(err, gone) {
		t.Errorf("filling fails: %v", err)
	}
	if err := s.MeanOf(x, nothing, fails); !errors.Is(err, gone) {
		t.Errorf("using fails: %v", err)
	}
}

// bfloat16 keeps what it can hold, rounds to even between two, and hides nothing that is not finite.
func TestHalf(t *testing.T) {
	for x, want := range map[float32]float32{0: 0, 1: 1, -2.5: -2.5, 1 + 1.0/256: 1, 1 + 3.0/256: 1 + 4.0/256, 1 + 1.1/256: 1 + 2.0/256,
		float32(math.Inf(1)): float32(math.Inf(1)), math.MaxFloat32: float32(math.Inf(1)), 0x1p-140: 0} {
		if got := whole(half(x)); got != want && !(x == 0x1p-140 && got < 0x1p-133) {
			t.Errorf("%g becomes %g, want %g", x, got, want)
		}
	}
	for _, bits := range []uint32{0x7fc00000, 0x7f800001, 0xffffffff} {
		if got := whole(half(math.Float32frombits(bits))); got == got {
			t.Errorf("the NaN %x becomes %g", bits, got)
		}
	}
}

// Messages of any length reach all ranks in order, and so does what one rank fails at.
func TestAll(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		for _, length := range []int{0, 10, slot, 100_000} {
			each(t, n, func(r *Ranks) error {
				all, err := All(r, strings.Repeat(string(rune('a'+r.Number())), length+r.Number()), nil)
				if err != nil {
					return err
				}
				for k, text := range all {
					if text != strings.Repeat(string(rune('a'+k)), length+k) {
						return fmt.Errorf("of rank %d: %d bytes, %.10q", k, len(text), text)
					}
				}
				if len(all) != n {
					return fmt.Errorf("%d messages, want %d", len(all), n)
				}
				return nil
			})
		}
	}
	gone := errors.New("the disk is gone: " + strings.Repeat("x", 2*slot))
	for _, r := range Local(3) {
		go func() {
			if r.Number() < 2 {
				All(r, 1, nil)
			}
		}()
		if r.Number() == 2 {
			_, err := All(r, 1, gone)
			if agreed := (*AgreedError)(nil); !errors.Is(err, gone) || !errors.As(err, &agreed) || agreed.Rank != 2 {
				t.Errorf("its own error is %v", err)
			}
		}
	}
	locals := Local(2)
	go All(locals[1], 1, gone)
	_, err := All(locals[0], 1, nil)
	if !errors.As(err, new(*AgreedError)) || !strings.HasPrefix(err.Error(), "rank 1: the disk is gone") {
		t.Errorf("the error of another rank is %v", err)
	}
	if _, err := All(nil, 1, gone); err != gone {
		t.Errorf("alone: %v", err)
	}
}

// The first rank does something once, and all get what came of it.
func TestFromFirst(t *testing.T) {
	var times int
	each(t, 3, func(r *Ranks) error {
		got, err := FromFirst(r, func() (int, error) { times++; return 7, nil })
		if got != 7 {
			return fmt.Errorf("got %d, %v", got, err)
		}
		x := []byte{byte(r.Number()), 1}
		if err := r.Broadcast(x); err != nil || !slices.Equal(x, []byte{0, 1}) {
			return fmt.Errorf("broadcast %v, %v", x, err)
		}
		return nil
	})
	if times != 1 {
		t.Errorf("done %d times", times)
	}
}

// A rank that leaves with an error of its own ends the others.
func TestARankThatLeavesEndsTheOthers(t *testing.T) {
	locals := Local(2)
	done := make(chan error)
	go func() {
		_, err := All(locals[0], 1, nil)
		done <- err
	}()
	locals[1].Leave(errors.New("its memory is gone"), 1)
	if err := <-done; err == nil || !strings.Contains(err.Error(), "its memory is gone") {
		t.Errorf("the other rank goes on with %v", err)
	}
}

// Outer updates with rate 1 and no momentum take the mean; with momentum they are Nesterov's, by hand.
func TestOuter(t *testing.T) {
	w, v := []float32{3}, []float32{0}
	Outer{Rate: 1}.Step(w, []float32{2}, v)
	if w[0] != 1 {
		t.Errorf("weight %g, want 1", w[0])
	}
	w, v = []float32{10}, []float32{0}
	o := Outer{Rate: 0.5, Momentum: 0.5}
	o.Step(w, []float32{2}, v) // v = 2, falls by 0.5 (2 + 0.5 2)
	if w[0] != 8.5 || v[0] != 2 {
		t.Errorf("weight %g and momentum %g, want 8.5 and 2", w[0], v[0])
	}
	o.Step(w, []float32{1}, v) // v = 0.5 2 + 1 = 2, falls by 0.5 (1 + 0.5 2)
	if w[0] != 7.5 || v[0] != 2 {
		t.Errorf("weight %g and momentum %g, want 7.5 and 2", w[0], v[0])
	}
}
