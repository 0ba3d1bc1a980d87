package train

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/data"
	"mcvd/models/backend/backendtest"
	"mcvd/models/devices"
)

// Batches come in their order, whole, until their end, their error or the taker's break; by then
// whoever makes them has ended.
func TestFeed(t *testing.T) {
	b := backendtest.Open(t)
	broken := errors.New("broken")
	for _, take := range []int{0, 2, 100} {
		for _, fails := range []int{1, 4} {
			ended := false
			made := func(yield func(data.Batch, error) bool) {
				defer func() { ended = true }()
				for i := range fails {
					if !yield(data.Batch{Pix: []uint8{uint8(i), 7}, Batch: 2, Frames: 1, Height: 1, Width: 1, Channels: 1}, nil) {
						return
					}
				}
				yield(data.Batch{}, broken)
			}
			d, err := devices.Open(b, 1, 2)
			if err != nil {
				t.Fatal(err)
			}
			f := &feed{devices: d, batches: made}
			n, last := 0, error(nil)
			for x, err := range f.each(context.Background()) {
				if n == take {
					devices.Free([]devices.Value{x.Value})
					break
				}
				if last = err; err != nil {
					continue
				}
				if v := tensors.MustCopyFlatData[uint8](whole(t, x.Value)); v[0] != uint8(n) || v[1] != 7 {
					t.Errorf("batch %d holds %v", n, v)
				}
				devices.Free([]devices.Value{x.Value})
				n++
			}
			if want := min(take, fails); n != want {
				t.Errorf("take %d of %d: got %d", take, fails, n)
			}
			if wantErr := take > fails; errors.Is(last, broken) != wantErr {
				t.Errorf("take %d of %d: error %v", take, fails, last)
			}
			if !ended {
				t.Errorf("take %d of %d: batches are still being made", take, fails)
			}
		}
	}
}

// What a step waits for its batches is counted, its own time is not: a batch takes two seconds, a
// step one. The time is a test's own, in which sleeping takes none.
func TestWaitingForBatches(t *testing.T) {
	d, err := devices.Open(backendtest.Open(t), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := &feed{devices: d, batches: func(yield func(data.Batch, error) bool) {
			for range 3 {
				time.Sleep(2 * time.Second)
				if !yield(data.Batch{Pix: []uint8{1}, Batch: 1, Frames: 1, Height: 1, Width: 1, Channels: 1}, nil) {
					return
				}
			}
		}}
		var waited []time.Duration
		for x, err := range f.each(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			devices.Free([]devices.Value{x.Value})
			waited = append(waited, f.waited)
			time.Sleep(time.Second)
		}
		// The next batch is made from when this one is taken: the first step waits for all of its
		// batch, the others for a second more.
		if want := []time.Duration{2 * time.Second, 3 * time.Second, 4 * time.Second}; !slices.Equal(waited, want) {
			t.Errorf("waited %v, want %v", waited, want)
		}
	})
}

// The memory of a batch is used again once the batch is on the devices: a long training takes that of a
// few batches.
func TestTheMemoryOfBatchesIsUsedAgain(t *testing.T) {
	c := toy()
	batches := data.NewBatches(waves{size: c.Data.Size, videos: 9}, c, slog.New(slog.DiscardHandler))
	d, err := devices.Open(backendtest.Open(t), 1, c.Train.Batch)
	if err != nil {
		t.Fatal(err)
	}
	const taken = 30
	places := map[*uint8]bool{} // which keeps what isn't used again from being collected
	f := &feed{devices: d, batches: func(yield func(data.Batch, error) bool) {
		for n := range taken {
			b, err := batches.At(n)
			if err == nil {
				places[&b.Pix[0]] = true
			}
			if !yield(b, err) {
				return
			}
		}
	}}
	n := 0
	for x, err := range f.each(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		devices.Free([]devices.Value{x.Value})
		n++
	}
	if n != taken || len(places) > 3 {
		t.Errorf("%d batches lay in %d places, want that of the batch before each", n, len(places))
	}
}
