package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
)

const (
	maxLine = 1 << 16 // bytes; the longest line that training writes has a few hundred
	// tailSize is the number of bytes before the offset that are compared, to see if they are still
	// the same. They are several lines, whose times differ in every process.
	tailSize = 4096
	maxStep  = 1<<53 - 1 // what a float64 can count
	// maxScores is more than there are metrics: every name of one becomes a curve.
	maxScores = 64
)

// tail reads the whole lines that are added to a log. If a process goes on from a checkpoint and
// cuts the log back, everything is read again.
type tail struct {
	offset int64        // of the end of the last whole line
	over   int64        // so many bytes behind it belong to a line that is too long
	seed   maphash.Seed // of the sum
	sum    uint64       // of the last bytes before offset
	last   map[kind]int // the last step of each kind of line
	broken int          // lines that can't be read
	buffer []byte
}

// read hands over the lines that were added since the call before, in order. If the earlier ones
// are no longer there, it calls restart and begins with the first line. A last line without an end
// is left for later.
func (t *tail) read(ctx context.Context, r io.ReaderAt, restart func(), line func(Line)) error {
	if t.buffer == nil {
		*t = tail{seed: maphash.MakeSeed(), last: map[kind]int{}, buffer: make([]byte, maxLine)}
		t.sum = maphash.Bytes(t.seed, nil)
	}
	same, err := t.unchanged(r)
	if err != nil {
		return err
	}
	if !same {
		*t = tail{seed: t.seed, sum: maphash.Bytes(t.seed, nil), last: map[kind]int{}, buffer: t.buffer}
		restart()
	}
	for ctx.Err() == nil {
		n, err := r.ReadAt(t.buffer, t.offset+t.over)
		if err != nil && err != io.EOF {
			return err
		}
		whole := bytes.LastIndexByte(t.buffer[:n], '\n') + 1
		for text := range bytes.Lines(t.buffer[:whole]) {
			t.take(text, line)
		}
		switch {
		case whole > 0:
		case n == len(t.buffer): // a line without an end in sight
			t.over += int64(n)
		default:
			return t.remember(r)
		}
	}
	return context.Cause(ctx)
}

// take hands over a line, or counts it as broken.
func (t *tail) take(text []byte, line func(Line)) {
	t.offset += t.over + int64(len(text))
	tooLong := t.over > 0
	t.over = 0
	var l Line
	if tooLong || json.Unmarshal(text, &l) != nil || l.check() != nil || l.Step <= t.last[l.kind()] {
		t.broken++
		return
	}
	t.last[l.kind()] = l.Step
	line(l)
}

// check reports numbers that no training writes.
func (l Line) check() error {
	if l.Step < 1 || l.Step > maxStep || l.Skipped < 0 || l.Replaced < 0 || l.Passed < 0 || max(len(l.Validation), len(l.Accuracy)) > Fifths || len(l.Scores) > maxScores {
		return fmt.Errorf("step %d, %d skipped, %d replaced, %d fifths, %d scores: not a line of a log", l.Step, l.Skipped, l.Replaced, max(len(l.Validation), len(l.Accuracy)), len(l.Scores))
	}
	return nil
}

// unchanged says whether what was read is still the beginning of the log.
func (t *tail) unchanged(r io.ReaderAt) (bool, error) {
	before, err := t.before(r)
	return err == nil && maphash.Bytes(t.seed, before) == t.sum, err
}

func (t *tail) remember(r io.ReaderAt) error {
	before, err := t.before(r)
	t.sum = maphash.Bytes(t.seed, before)
	return err
}

// before are the last bytes before the offset. There are fewer if the log has become shorter.
func (t *tail) before(r io.ReaderAt) ([]byte, error) {
	from := max(0, t.offset-tailSize)
	text := make([]byte, t.offset-from)
	n, err := r.ReadAt(text, from)
	if err == io.EOF {
		err = nil
	}
	return text[:n], err
}
