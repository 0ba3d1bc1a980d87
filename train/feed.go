package train

import (
	"context"
	"iter"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/data"
	"mcvd/models/devices"
)

// maxReading is how long the end of a feed waits for what is being read, so that nothing reads any more
// when the training is over. What takes longer hangs.
const maxReading = 10 * time.Second

// feed moves batches to the devices while a step runs, one batch ahead.
type feed struct {
	devices *devices.Devices
	batches iter.Seq2[data.Batch, error]
	// waited is how long steps have waited for their batches since it was last set to zero.
	waited time.Duration
}

// uploaded is a batch on the devices.
type uploaded struct {
	devices.Value
	times    *tensors.Tensor // of its frames; nil if they follow each other
	labels   [][]string      // of each clip; nil if there are none
	replaced int             // clips that stand for others
}

// each yields the batches, which then belong to the caller, until the first error or the caller's
// end.
func (f *feed) each(ctx context.Context) iter.Seq2[uploaded, error] {
	type result struct {
		batch uploaded
		err   error
	}
	return func(yield func(uploaded, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		queue := make(chan result)
		go func() {
			defer close(queue)
			for b, err := range f.batches {
				if ctx.Err() != nil { // nobody waits any more, and the devices may be gone
					b.Free()
					return
				}
				r := result{err: err}
				if err == nil {
					r.batch, r.err = f.upload(b)
				}
				select {
				case queue <- r:
				case <-ctx.Done():
					devices.Free([]devices.Value{r.batch.Value})
					return
				}
				if r.err != nil {
					return
				}
			}
		}()
		defer func() {
			cancel()
			left := time.After(maxReading)
			for ended := false; !ended; {
				select {
				case r, more := <-queue:
					if ended = !more; more {
						devices.Free([]devices.Value{r.batch.Value})
					}
				case <-left:
					ended = true
				}
			}
		}()
		for {
			var r result
			var ok bool
			start := time.Now()
			select {
			case r, ok = <-queue:
			case <-ctx.Done():
			}
			f.waited += time.Since(start)
			if !ok || !yield(r.batch, r.err) || r.err != nil {
				return
			}
		}
	}
}

// upload moves a batch to the devices. Its own memory is free then: tensors copy what they are made of.
func (f *feed) upload(b data.Batch) (uploaded, error) {
	defer b.Free()
	pix := tensors.FromFlatDataAndDimensions(b.Pix, b.Batch, b.Frames, b.Height, b.Width, b.Channels)
	value, err := f.devices.Put(pix, devices.Parts)
	return uploaded{value, timesOf(b), b.Labels, b.Replaced}, err
}

// timesOf are the times of a batch's frames, [batch, frames] float32, nil if they follow each
// other.
func timesOf(b data.Batch) *tensors.Tensor {
	if b.Times == nil {
		return nil
	}
	times := make([]float32, len(b.Times))
	for i, t := range b.Times {
		times[i] = float32(t)
	}
	return tensors.FromFlatDataAndDimensions(times, b.Batch, b.Frames)
}
