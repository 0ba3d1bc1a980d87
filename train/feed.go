package train

import (
	"context"
	"iter"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/data"
	"mcvd/models/devices"
)

// feed moves batches to the devices while a step runs, one batch ahead.
type feed struct {
	devices *devices.Devices
	batches iter.Seq2[data.Batch, error]
	// waited is how long steps have waited for their batches since it was last set to zero.
	waited time.Duration
}

// uploaded is a batch on the devices, or the error of getting it there.
type uploaded struct {
	batch devices.Value
	err   error
}

// each yields the batches, which then belong to the caller, until the first error or the caller's
// end.
func (f *feed) each(ctx context.Context) iter.Seq2[devices.Value, error] {
	return func(yield func(devices.Value, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		queue := make(chan uploaded)
		go func() {
			defer close(queue)
			for b, err := range f.batches {
				u := uploaded{err: err}
				if err == nil {
					u.batch, u.err = f.upload(b)
				}
				select {
				case queue <- u:
				case <-ctx.Done():
					devices.Free([]devices.Value{u.batch})
					return
				}
				if u.err != nil {
					return
				}
			}
		}()
		defer func() { // wait for the goroutine, because its data set may be closed next
			cancel()
			for u := range queue {
				devices.Free([]devices.Value{u.batch})
			}
		}()
		for {
			start := time.Now()
			u, ok := <-queue
			f.waited += time.Since(start)
			if !ok || !yield(u.batch, u.err) || u.err != nil {
				return
			}
		}
	}
}

func (f *feed) upload(b data.Batch) (devices.Value, error) {
	return f.devices.Put(tensors.FromFlatDataAndDimensions(b.Pix, b.Batch, b.Frames, b.Height, b.Width, b.Channels), devices.Parts)
}
