package train

import (
	"context"
	"iter"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/data"
)

// feed moves batches to the device while a step runs, one ahead of the step that takes it.
type feed struct {
	backend compute.Backend
	batches iter.Seq2[data.Batch, error]
	// waited is how long steps have waited for their batches since it was last set to zero.
	waited time.Duration
}

// uploaded is a batch on the device.
type uploaded struct {
	tensor *tensors.Tensor
	err    error
}

// each yields the batches as tensors, which then belong to the caller, until the first error or the caller's end.
func (f *feed) each(ctx context.Context) iter.Seq2[*tensors.Tensor, error] {
	return func(yield func(*tensors.Tensor, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		queue := make(chan uploaded)
		go func() {
			defer close(queue)
			for b, err := range f.batches {
				u := uploaded{err: err}
				if err == nil {
					u.tensor, u.err = f.upload(b)
				}
				select {
				case queue <- u:
				case <-ctx.Done():
					if u.tensor != nil {
						u.tensor.FinalizeAll()
					}
					return
				}
				if u.err != nil {
					return
				}
			}
		}()
		defer func() { // not before the goroutine has ended: its data set may be closed next
			cancel()
			for u := range queue {
				if u.tensor != nil {
					u.tensor.FinalizeAll()
				}
			}
		}()
		for {
			start := time.Now()
			u, ok := <-queue
			f.waited += time.Since(start)
			if !ok || !yield(u.tensor, u.err) || u.err != nil {
				return
			}
		}
	}
}

func (f *feed) upload(b data.Batch) (*tensors.Tensor, error) {
	t := tensors.FromFlatDataAndDimensions(b.Pix, b.Batch, b.Frames, b.Height, b.Width, b.Channels)
	return t, t.MaterializeOnDevice(f.backend, true, 0)
}
