package train

import (
	"context"
	"errors"
	"fmt"
	"math"
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
// down where, and a checkpoint. A nil Watchdog does nothing. It serves one training.
type Watchdog struct {
	patience time.Duration
	grace    time.Duration // how long anything may show no sign of life once the patience is over
	timer    *time.Timer   // calls expire
	expire   func()
	hangs    chan struct{} // closed when the patience is over
	signs    chan struct{} // has a value if there was a sign of life

	mu     sync.Mutex
	doing  string       // what the training does
	rescue func() error // writes a checkpoint; nil if there is nothing to save
}

// graceOfHung is the grace of a watchdog. Each tensor that is written is a sign of life.
const graceOfHung = time.Minute

// NewWatchdog makes a watchdog that waits as long for each sign of progress; nil if that is 0.
func NewWatchdog(patience time.Duration) *Watchdog {
	if patience <= 0 {
		return nil
	}
	w := &Watchdog{patience: patience, grace: graceOfHung, hangs: make(chan struct{}), signs: make(chan struct{}, 1), doing: "starting"}
	w.expire = sync.OnceFunc(func() { close(w.hangs) })
	w.timer = time.AfterFunc(math.MaxInt64, w.expire) // until there is something to watch
	return w
}

// Alive tells the watchdog that there is progress.
func (w *Watchdog) Alive() {
	if w == nil {
		return
	}
	w.timer.Reset(w.patience)
	select {
	case w.signs <- struct{}{}:
	default:
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
func (w *Watchdog) watch(ctx context.Context, record recorder, work func(ctx context.Context) (Progress, error)) (p Progress, err error) {
	if w == nil {
		return work(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.Alive()
	defer w.timer.Stop()
	type result struct {
		progress Progress
		err      error
	}
	var r result
	done := make(chan struct{})
	go func() {
		defer close(done)
		p, err := work(ctx)
		r = result{p, err}
	}()
	select {
	case <-done:
		return r.progress, r.err
	case <-w.hangs:
	}
	w.mu.Lock()
	doing, rescue := w.doing, w.rescue
	w.mu.Unlock()
	hangs := fmt.Errorf("%w: no progress for %v while %s", ErrHangs, w.patience, doing)
	if err := w.within(func() error { return record.write(hangs) }); err != nil {
		hangs = fmt.Errorf("%w; where it hangs could not be written down: %w", hangs, err)
	} else {
		hangs = fmt.Errorf("%w; %s", hangs, record.says)
	}
	cancel(hangs)
	if !w.ends(done) {
		return Progress{}, fmt.Errorf("%w\n%w", hangs, w.save(rescue))
	}
	if r.err == nil {
		return r.progress, nil // it just came to its end
	}
	return r.progress, fmt.Errorf("%w\n%w", hangs, r.err)
}

// save writes a checkpoint of work that was left behind, and says what became of it.
func (w *Watchdog) save(rescue func() error) error {
	if rescue == nil {
		return errors.New("there was nothing to save; the same command goes on from the newest checkpoint, if there is one")
	}
	if err := w.within(rescue); err != nil {
		return fmt.Errorf("no checkpoint could be written: %w; the same command goes on from the newest one, if there is one", err)
	}
	return errors.New("a checkpoint was written; the same command goes on from there")
}

// within does what may hang, too.
func (w *Watchdog) within(do func() error) (err error) {
	done := make(chan struct{})
	var result error
	go func() {
		defer close(done)
		result = do()
	}()
	if !w.ends(done) {
		return fmt.Errorf("that hung for %v, too", w.grace)
	}
	return result
}

// ends waits for done, as long as there are signs of life.
func (w *Watchdog) ends(done <-chan struct{}) bool {
	for {
		select {
		case <-done:
			return true
		case <-w.signs:
		case <-time.After(w.grace):
			return false
		}
	}
}

// recorder writes down where a training hangs, and says where it wrote.
type recorder struct {
	write func(why error) error
	says  string
}

// recorder writes into the run folder, or, of other ranks than the first, to stderr.
func (r *Run) recorder(o Options) recorder {
	if o.Ranks.First() {
		return recorder{r.writeStacks, runs.StacksFile + " in its folder says where"}
	}
	return recorder{func(error) error { return pprof.Lookup("goroutine").WriteTo(os.Stderr, 2) }, "the lines above say where"}
}

// writeStacks writes into the folder what each goroutine does, unless the folder is no longer this
// process's.
func (r *Run) writeStacks(why error) error {
	if err := r.guard(); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(r.Dir, runs.StacksFile), func(f *os.File) error {
		if _, err := fmt.Fprintf(f, "%s\n%v\n\n", time.Now().Format(time.RFC3339), why); err != nil {
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
	if !t.Ranks.First() {
		return errors.New("the first rank writes them")
	}
	if t.round.begun() {
		return errors.New("ranks have weights of their own until the end of a round")
	}
	return t.checkpointNow()
}
