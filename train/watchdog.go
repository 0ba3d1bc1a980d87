package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"time"

	"mcvd/configs/atomicfile"
	"mcvd/train/runs"
)

// ErrHangs is in the error of a training that made no progress for as long as its [Watchdog] waits. The
// same command goes on from the newest checkpoint. If the call that hangs does not return, neither does
// what holds the backend: the process must end without closing it.
var ErrHangs = errors.New("training hangs")

// A Watchdog ends a training that makes no progress, because data, a device or a disk hangs. It writes
// down where, and a checkpoint. A nil Watchdog does nothing.
type Watchdog struct {
	patience time.Duration
	grace    time.Duration // how long anything may take once the patience is over
	timer    *time.Timer
	hangs    chan struct{} // closed when the patience is over

	mu     sync.Mutex
	doing  string       // what the training does
	rescue func() error // writes a checkpoint; nil if there is nothing to save
}

// maxGrace is how long a training gets to end by itself, and then as long to be saved from outside.
const maxGrace = time.Minute

// NewWatchdog makes a watchdog that waits as long for each sign of progress; nil if that is 0.
func NewWatchdog(patience time.Duration) *Watchdog {
	if patience <= 0 {
		return nil
	}
	w := &Watchdog{patience: patience, grace: min(patience, maxGrace), hangs: make(chan struct{}), doing: "starting"}
	w.timer = time.AfterFunc(patience, sync.OnceFunc(func() { close(w.hangs) }))
	return w
}

// Alive tells the watchdog that there is progress.
func (w *Watchdog) Alive() {
	if w != nil {
		w.timer.Reset(w.patience)
	}
}

// begin tells the watchdog what the training does next.
func (w *Watchdog) begin(doing string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.doing = doing
	w.mu.Unlock()
	w.Alive()
}

// guard tells the watchdog how to save what it watches; nil if there is nothing.
func (w *Watchdog) guard(rescue func() error) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rescue = rescue
}

// watch does work, and ends when it ends or hangs. Work that hangs is told to end, as if by a signal. If
// it does not, it is left behind, and a checkpoint is written without it.
func (w *Watchdog) watch(ctx context.Context, dir string, work func(ctx context.Context) (Progress, error)) (Progress, error) {
	if w == nil {
		return work(ctx)
	}
	w.Alive()
	defer w.timer.Stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type result struct {
		progress Progress
		err      error
	}
	done := make(chan result, 1)
	go func() {
		p, err := work(ctx)
		done <- result{p, err}
	}()
	select {
	case r := <-done:
		return r.progress, r.err
	case <-w.hangs:
	}
	w.mu.Lock()
	doing, rescue := w.doing, w.rescue
	w.mu.Unlock()
	hangs := fmt.Errorf("%w: no progress for %v while %s", ErrHangs, w.patience, doing)
	stacks := filepath.Join(dir, runs.StacksFile)
	if err := w.within(func() error { return writeStacks(stacks, hangs) }); err != nil {
		hangs = fmt.Errorf("%w; where it hangs could not be written to %s: %w", hangs, stacks, err)
	} else {
		hangs = fmt.Errorf("%w; %s says where", hangs, stacks)
	}
	cancel(hangs)
	select {
	case r := <-done:
		if r.err == nil {
			return r.progress, nil // it just came to its end
		}
		return r.progress, fmt.Errorf("%w\n%w", hangs, r.err)
	case <-time.After(w.grace):
	}
	return Progress{}, fmt.Errorf("%w\n%w", hangs, w.save(rescue))
}

// save writes a checkpoint of work that was left behind, and says what became of it.
func (w *Watchdog) save(rescue func() error) error {
	if rescue == nil {
		return errors.New("there was nothing to save yet; the same command begins anew")
	}
	if err := w.within(rescue); err != nil {
		return fmt.Errorf("no checkpoint could be written: %w; the same command goes on from the newest one", err)
	}
	return errors.New("a checkpoint was written; the same command goes on from there")
}

// within does what may hang, too, for as long as the grace lasts.
func (w *Watchdog) within(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(w.grace):
		return fmt.Errorf("that hung for %v, too", w.grace)
	}
}

// writeStacks writes what each goroutine does.
func writeStacks(path string, why error) error {
	return atomicfile.Write(path, func(f *os.File) error {
		if _, err := io.WriteString(f, why.Error()+"\n\n"); err != nil {
			return err
		}
		return pprof.Lookup("goroutine").WriteTo(f, 2)
	})
}

// outside does what may take long or hang. Meanwhile the state is not held, and may be saved.
func (t *trainer) outside(doing string, do func()) {
	t.Watchdog.begin(doing)
	t.state.Unlock()
	defer t.state.Lock()
	do()
}

// rescue writes a checkpoint from beside the training, which must hang [trainer.outside]. It keeps the
// state for ever, so that the training can't go on.
func (t *trainer) rescue() error {
	if !t.state.TryLock() {
		return errors.New("it hangs in changing or saving the weights")
	}
	return t.checkpointNow()
}
