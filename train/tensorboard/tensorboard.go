// Package tensorboard writes what the log and the samples of a run say into event files, which
// TensorBoard shows: `tensorboard --logdir RUN`, or a folder of runs.
//
// An event file is derived from the run folder and holds nothing of its own. So whenever a process
// begins to train, it writes one new file of all that the folder holds, in the place of those of
// before, and adds to it from then on. There is no step twice, whatever was cut off from the log,
// and none is missing, also if the files were deleted or switched off for a time.
package tensorboard

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // samples are GIFs
	_ "image/png" // and PNGs
	"io"
	"os"
	"path/filepath"
	"time"

	"mcvd/configs/atomicfile"
	"mcvd/train/runs"
)

// Names of event files: TensorBoard reads what has "tfevents" in its name, in the order of names.
// The number is seconds since 1970.
const (
	namePattern = "events.out.tfevents.%010d.mcvd"
	nameGlob    = "events.out.tfevents.*.mcvd"
)

// Tags of images; those of scalars are the names of [runs.Quantity].
const (
	sheetTag = "samples/sheet"
	filmTag  = "samples/film"
)

// maxSample is more bytes than the samples of a step have.
const maxSample = 1 << 26

// Writer adds to the event file of a run what is new in its folder. It is not for several
// goroutines at once.
type Writer struct {
	run     *runs.Run
	out     io.Writer
	file    *os.File // out, once it has its name
	sampled int      // the last step whose samples are written
}

// Open writes an event file of what a run's log and samples hold, in the place of all files of
// before. Its first mark lets a TensorBoard that is running forget what it has read of these. The
// newest of them stays, without events, because a TensorBoard whose file is gone never looks for
// the next one.
func Open(ctx context.Context, dir string) (_ *Writer, err error) {
	run, err := runs.Open(dir)
	if err != nil {
		return nil, err
	}
	w := &Writer{run: run}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	old, err := eventFiles(dir)
	if err != nil {
		return nil, err
	}
	path := next(dir, old)
	err = atomicfile.Write(path, func(tmp *os.File) error {
		buffer := bufio.NewWriter(tmp)
		w.out = buffer
		return cmp.Or(w.write(event{version: version}), w.write(event{step: 1, start: true}), w.Update(ctx), buffer.Flush())
	})
	if err == nil && len(old) > 0 {
		newest := len(old) - 1
		err = cmp.Or(empty(old[newest]), remove(old[:newest]))
	}
	if err == nil {
		w.file, err = os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		w.out = w.file
	}
	return w, err
}

// empty leaves of an event file only that it is one.
func empty(path string) error {
	return atomicfile.Write(path, func(tmp *os.File) error { return (&Writer{out: tmp}).write(event{version: version}) })
}

// Remove removes the event files of a run that goes on without them: what they say of steps to come
// again would be wrong.
func Remove(dir string) error {
	old, err := eventFiles(dir)
	return cmp.Or(err, remove(old))
}

func remove(paths []string) (err error) {
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// eventFiles are the event files of a run, in order.
func eventFiles(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if ok, _ := filepath.Match(nameGlob, e.Name()); ok && e.Type().IsRegular() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// next is the path of a file behind the old ones in the order of names.
func next(dir string, old []string) string {
	number := time.Now().Unix()
	if len(old) > 0 {
		var last int64
		if _, err := fmt.Sscanf(filepath.Base(old[len(old)-1]), namePattern, &last); err == nil {
			number = max(number, last+1)
		}
	}
	return filepath.Join(dir, fmt.Sprintf(namePattern, number))
}

// Update adds what is new in the folder: lines of the log first, then samples. The log must not be
// cut back between two calls.
func (w *Writer) Update(ctx context.Context) error {
	var failed error
	restart := func() { failed = errors.New("the log was cut back while it was followed") }
	err := w.run.Lines(ctx, restart, func(l runs.Line) {
		if failed == nil {
			failed = w.write(scalars(l))
		}
	})
	if err := cmp.Or(err, failed); err != nil {
		return err
	}
	for _, s := range w.run.FindSamples() {
		if s.Step > w.sampled {
			w.sampled = s.Step
			if err := w.samples(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// scalars is the event of a line.
func scalars(l runs.Line) event {
	e := event{time: float64(l.Time), step: l.Step}
	for _, q := range runs.OfLine(l) {
		if x, ok := q.Of(l); ok {
			e.values = append(e.values, value{tag: q.Name, scalar: x})
		}
	}
	return e
}

// samples writes the pictures of a step. One that is none is left out: a later step has others.
func (w *Writer) samples(s runs.Sample) error {
	e := event{step: s.Step}
	for _, of := range []struct{ tag, name string }{{sheetTag, s.Sheet}, {filmTag, s.Film}} {
		if of.name == "" {
			continue
		}
		picture, err := w.run.ReadSample(of.name, maxSample)
		if err != nil {
			continue
		}
		if size, _, err := image.DecodeConfig(bytes.NewReader(picture)); err == nil {
			e.values = append(e.values, value{tag: of.tag, image: picture, width: size.Width, height: size.Height})
		}
	}
	if len(e.values) == 0 {
		return nil
	}
	return w.write(e)
}

// write writes an event in one piece; its time is now if it has none.
func (w *Writer) write(e event) error {
	if e.time == 0 {
		e.time = float64(time.Now().UnixMilli()) / 1000
	}
	_, err := w.out.Write(appendRecord(nil, e.marshal()))
	return err
}

// Close ends the file.
func (w *Writer) Close() error {
	err := w.run.Close()
	if w.file != nil {
		err = errors.Join(err, w.file.Close())
	}
	return err
}
