//go:build cgo && linux && amd64 && !noxla

package xlakernels_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/backend/xlakernels"
)

// Memory of several threads never overlaps, and all of it can be given back.
func TestMemoryIsKept(t *testing.T) {
	before := xlakernels.MemoryCounts()
	const threads, most, size = 4, 8, 3 << 20
	var done sync.WaitGroup
	for thread := range threads {
		done.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(thread)))
			var mine [][]byte
			for turn := range 2000 {
				if len(mine) < most && rng.IntN(2) == 0 {
					b := xlakernels.TakeMemory(1 + rng.IntN(size)>>rng.IntN(12))
					if b == nil || uintptr(unsafe.Pointer(&b[0]))%4096 != 0 {
						t.Errorf("thread %d, turn %d: no memory at a multiple of 4096", thread, turn)
						return
					}
					b[0], b[len(b)-1] = byte(thread), byte(thread)
					mine = append(mine, b)
				} else if len(mine) > 0 {
					i := rng.IntN(len(mine))
					b := mine[i]
					if b[0] != byte(thread) || b[len(b)-1] != byte(thread) {
						t.Errorf("thread %d, turn %d: another wrote into its memory", thread, turn)
					}
					if !xlakernels.GiveMemory(b) {
						t.Errorf("thread %d, turn %d: what was taken can't be given back", thread, turn)
					}
					mine = append(mine[:i], mine[i+1:]...)
				}
			}
			for _, b := range mine {
				xlakernels.GiveMemory(b)
			}
		})
	}
	done.Wait()
	if now := xlakernels.MemoryCounts().Taken; now != before.Taken {
		t.Errorf("after all was given back, %d bytes more are taken than before", now-before.Taken)
	}
	if own := make([]byte, 1<<16); xlakernels.GiveMemory(own) {
		t.Error("memory that was never taken could be given back")
	}
}

// What was given back is held, but not more than a quarter and 16 MiB beyond the most that was taken.
func TestMemoryIsBounded(t *testing.T) {
	most := xlakernels.MemoryCounts().Most
	for size := 16 << 20; size <= 2*most+256<<20; size += size / 3 { // no block serves the next
		b := xlakernels.TakeMemory(size)
		if b == nil {
			t.Fatalf("no memory of %d bytes", size)
		}
		xlakernels.GiveMemory(b)
		if c := xlakernels.MemoryCounts(); c.Held > c.Most+c.Most/4+16<<20 {
			t.Fatalf("%d bytes are held, and %d were taken at most", c.Held, c.Most)
		}
	}
	var all [][]byte
	for range 5000 {
		b := xlakernels.TakeMemory(1)
		if b == nil {
			t.Fatalf("no memory after %d blocks", len(all))
		}
		all = append(all, b)
	}
	for _, b := range all {
		if !xlakernels.GiveMemory(b) {
			t.Fatal("what was taken can't be given back")
		}
	}
}

// The plugin's large arrays come from memory that is kept: after the first calls, little comes from the
// system.
func TestThePluginsArraysAreKept(t *testing.T) {
	kernels, _ := both(t)
	exec, err := NewExec(kernels, func(x *Node) *Node { return AddScalar(x, 1) })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	x := random(1 << 20)
	call := func(times int) {
		for range times {
			out, err := exec.Call(x)
			if err != nil {
				t.Fatal(err)
			}
			out[0].MustFinalizeAll()
		}
	}
	call(10)
	before := xlakernels.MemoryCounts()
	call(20)
	after := xlakernels.MemoryCounts()
	if n := after.Takes - before.Takes; n < 20 {
		t.Errorf("20 calls took memory %d times: the plugin's arrays come from elsewhere", n)
	}
	if n := after.Maps - before.Maps; n > 10 { // some, because XLA frees a result on another thread
		t.Errorf("the system was asked for memory %d times in 20 calls that repeat", n)
	}
}
