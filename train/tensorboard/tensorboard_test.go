package tensorboard

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color/palette"
	"image/gif"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/train/runs"
)

// folder makes a run folder with a log.
func folder(t *testing.T, lines ...runs.Line) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, runs.SamplesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, runs.ConfigFile), nil)
	add(t, dir, lines...)
	return dir
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, dir string, lines ...runs.Line) {
	t.Helper()
	path := filepath.Join(dir, runs.LogFile)
	log, _ := os.ReadFile(path)
	for _, l := range lines {
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		log = append(append(log, text...), '\n')
	}
	write(t, path, log)
}

func open(t *testing.T, dir string) *Writer {
	t.Helper()
	w, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func update(t *testing.T, w *Writer) {
	t.Helper()
	if err := w.Update(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// file is the newest event file of a folder; there may be one before it, without events.
func file(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*tfevents*.mcvd"))
	if err != nil || len(paths) < 1 || len(paths) > 2 {
		t.Fatalf("event files %v, error %v, want one or two", paths, err)
	}
	if before := paths[:len(paths)-1]; len(before) > 0 {
		if events := read(t, before[0]); len(events) != 1 || events[0].version != version {
			t.Errorf("%s: %+v, want nothing but the version", before[0], events)
		}
	}
	return paths[len(paths)-1]
}

// show is a tag's steps and values, such as "10:0.5 20:0.25".
func show(events []event, tag string) string {
	var all []string
	for _, e := range events {
		for _, v := range e.values {
			if v.tag == tag && v.image == nil {
				all = append(all, fmt.Sprintf("%d:%g", e.step, v.scalar))
			} else if v.tag == tag {
				all = append(all, fmt.Sprintf("%d:%dx%d", e.step, v.width, v.height))
			}
		}
	}
	return strings.Join(all, " ")
}

// What TensorBoard 2.21's own writer (RecordWriter and its event_pb2) makes of the same events.
func TestRecordsAreTensorBoardsBitForBit(t *testing.T) {
	for want, e := range map[string]event{
		"1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a": {time: 1, version: version},
		"0f000000000000006d532b0909000000000000f83f10013a0208012967c289":                   {time: 1.5, step: 1, start: true},
		"33000000000000000ca7205609000000000000f83f10ac022a250a110a0a747261696e2f6c6f7373150000803e0a100a0161220b080210031803220378797ab911c203": {
			time: 1.5, step: 300, values: []value{{tag: "train/loss", scalar: 0.25}, {tag: "a", image: []byte("xyz"), height: 2, width: 3}}},
	} {
		if got := hex.EncodeToString(appendRecord(nil, e.marshal())); got != want {
			t.Errorf("%+v:\n%s, want\n%s", e, got, want)
		}
	}
}

func TestEventsAreTheLinesAndTheSamples(t *testing.T) {
	nan := runs.Number(math.NaN())
	dir := folder(t, runs.Line{Step: 10, Loss: 0.5, GradientNorm: 2, LearningRate: 0.25, ClipsPerSecond: 8, FLOPs: 1 << 40, Time: 1e9},
		runs.Line{Step: 10, Loss: 0.75, Validation: []runs.Number{1, 2, 3, 4, nan}, X0: 0.125, Time: 1e9 + 1})
	var sheet, film bytes.Buffer
	if err := png.Encode(&sheet, image.NewGray(image.Rect(0, 0, 7, 5))); err != nil {
		t.Fatal(err)
	}
	if err := gif.Encode(&film, image.NewPaletted(image.Rect(0, 0, 3, 2), palette.Plan9), nil); err != nil {
		t.Fatal(err)
	}
	w := open(t, dir)
	add(t, dir, runs.Line{Step: 10, Loss: nan, Scores: map[string]runs.Number{"psnr": 21.5, "fvd": nan}, Time: 1e9 + 1})
	add(t, dir, runs.Line{Step: 20, Loss: nan, Skipped: 10, Time: 1e9 + 2})
	samples := filepath.Join(dir, runs.SamplesDir)
	write(t, filepath.Join(samples, "step-00000020.png"), sheet.Bytes())
	write(t, filepath.Join(samples, "step-00000020.gif"), film.Bytes())
	write(t, filepath.Join(samples, "step-00000030.png"), []byte("no picture"))
	update(t, w)
	update(t, w)
	events := read(t, file(t, dir))
	if len(events) != 7 || events[0].version != "brain.Event:2" || !events[1].start || events[1].step != 1 {
		t.Fatalf("%d events, of which the first two are %+v, want 7 that begin with the version and a start at step 1", len(events), events[:2])
	}
	for tag, want := range map[string]string{
		"train/loss": "10:0.5 20:NaN", "train/gradient_norm": "10:2", "train/learning_rate": "10:0.25", "train/skipped": "20:10",
		"speed/clips": "10:8", "speed/flops": fmt.Sprintf("10:%g", float64(1<<40)),
		"validation/loss": "10:0.75", "validation/x0": "10:0.125", "validation/fifth_1": "10:1", "validation/fifth_5": "10:NaN",
		"score/psnr": "10:21.5", "score/fvd": "10:NaN",
		"samples/sheet": "20:7x5", "samples/film": "20:3x2",
	} {
		if got := show(events, tag); got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
	if at := events[3].time; at != 1e9+1 {
		t.Errorf("the validation is of time %f, want that of its line", at)
	}
	if picture := events[6].values[1].image; !bytes.Equal(picture, film.Bytes()) {
		t.Errorf("the film has %d bytes, want the %d of the file", len(picture), film.Len())
	}
}

// A process was killed: its events are about steps that come again, and the last is half-written.
func TestARunThatGoesOnHasNoStepTwice(t *testing.T) {
	lines := []runs.Line{{Step: 10, Loss: 1}, {Step: 20, Loss: 2}, {Step: 30, Loss: 3}}
	dir := folder(t, lines...)
	open(t, dir)
	first := file(t, dir)
	text, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	write(t, first, text[:len(text)-5])
	own := filepath.Join(dir, "events.out.tfevents.1.somebody")
	write(t, own, nil)
	if err := os.Remove(filepath.Join(dir, runs.LogFile)); err != nil {
		t.Fatal(err)
	}
	add(t, dir, lines[:2]...) // training cuts the log back
	w := open(t, dir)
	add(t, dir, runs.Line{Step: 30, Loss: 4})
	update(t, w)
	if _, err := os.Stat(own); err != nil {
		t.Error("a file that is not of this program is gone:", err)
	}
	open(t, dir)
	second := file(t, dir)
	if filepath.Base(second) <= filepath.Base(first) {
		t.Errorf("%s comes before %s", second, first)
	}
	if got := show(read(t, second), "train/loss"); got != "10:1 20:2 30:4" {
		t.Errorf("losses %q, want 10:1 20:2 30:4", got)
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*tfevents*")); !slices.Equal(left, []string{own}) {
		t.Errorf("%v are left, want %s", left, own)
	}
}

// Whoever reads the file at any moment sees whole records: each is written in one piece.
func TestEveryEventIsOneWrite(t *testing.T) {
	var sizes []int
	w := &Writer{out: writerFunc(func(p []byte) (int, error) { sizes = append(sizes, len(p)); return len(p), nil })}
	e := scalars(runs.Line{Step: 1, Loss: 1})
	if err := w.write(e); err != nil {
		t.Fatal(err)
	}
	e.time = 1
	if want := []int{len(e.marshal()) + 16}; !slices.Equal(sizes, want) {
		t.Errorf("writes of %v bytes, want %v", sizes, want)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
