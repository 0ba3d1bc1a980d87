package train

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// Event files hold what the log says, of all processes; a run that goes on without them has none.
func TestEventFilesAreWrittenIfTheyAreWanted(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.TensorBoard = true
	events := func(dir string) (all []byte) {
		t.Helper()
		paths, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			all = append(all, readFile(t, path)...)
		}
		return all
	}
	ctx, o := stopAt(options(b, c, t.TempDir()), 7)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	dir := o.Dir
	count := func(tag string) int { return bytes.Count(events(dir), []byte(tag)) }
	if got := []int{count("train/loss"), count("validation/loss")}; got[0] != 1 || got[1] != 1 { // steps 4 and 6
		t.Errorf("%v losses and validations after the first process, want 1, 1", got)
	}
	mustTrain(t, options(b, c, dir))
	want := [2]int{}
	for _, l := range lines(t, dir) {
		if l.Validation != nil {
			want[1]++
		} else {
			want[0]++
		}
	}
	if got := [2]int{count("train/loss"), count("validation/loss")}; got != want {
		t.Errorf("%v losses and validations, want %v as in the log", got, want)
	}
	without := toy()
	without.Train.Steps++
	mustTrain(t, options(b, without, dir))
	if got := events(dir); got != nil {
		t.Errorf("%d bytes of events in a run that goes on without them", len(got))
	}
}

// Events that can't be written are no reason to lose a training.
func TestTrainingGoesOnWithoutEventsThatFail(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.TensorBoard = true
	o := options(b, c, t.TempDir())
	var warnings bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&warnings, nil))
	o.Report = func(l runs.Line) {
		if l.Step == 6 && l.Validation == nil {
			if err := os.Truncate(filepath.Join(o.Dir, runs.LogFile), 0); err != nil {
				t.Error(err)
			}
		}
	}
	mustTrain(t, o)
	if n := strings.Count(warnings.String(), "event files are not written any more"); n != 1 {
		t.Errorf("%d warnings about event files, want one:\n%s", n, &warnings)
	}
}
