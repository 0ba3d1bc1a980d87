package data

import (
	"context"
	"iter"
	"sync"
)

// Each yields the batches from number from on, in order and without end. While the consumer works
// on one, up to ahead more are prepared, each by a goroutine of its own; with 0 none are. At the
// first error, also that of ctx, it yields the error and ends. When the loop is left, no goroutine
// remains.
func (b *Batches) Each(ctx context.Context, from, ahead int) iter.Seq2[Batch, error] {
	type made struct {
		batch Batch
		err   error
	}
	return func(yield func(Batch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var workers sync.WaitGroup
		defer workers.Wait()
		defer cancel() // runs before the wait
		var queue []<-chan made
		for n := from; ; n++ {
			for len(queue) <= max(ahead, 0) {
				result, number := make(chan made, 1), n+len(queue) // room for one, so that a worker can end even if nobody reads
				queue = append(queue, result)
				workers.Go(func() {
					if ctx.Err() == nil {
						batch, err := b.At(number)
						result <- made{batch, err}
					}
				})
			}
			var m made
			select {
			case m = <-queue[0]:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				m = made{err: context.Cause(ctx)}
			}
			queue = queue[1:]
			if !yield(m.batch, m.err) || m.err != nil {
				return
			}
		}
	}
}
