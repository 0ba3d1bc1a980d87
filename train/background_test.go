package train

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/weights"
	"mcvd/train/runs"
)

func TestJobsAreDoneOneAfterTheOther(t *testing.T) {
	var b background
	if err := b.wait(); err != nil || b.busy() || b.failed() != nil {
		t.Fatalf("without a job: %v", err)
	}
	first, done := make(chan bool), []int{}
	b.do(func() error { <-first; done = append(done, 1); return nil })
	b.do(func() error { done = append(done, 2); return nil })
	if err := b.failed(); err != nil || !b.busy() {
		t.Fatalf("while the first one is under way: error %v, busy %t", err, b.busy())
	}
	first <- true
	if err := b.wait(); err != nil || b.busy() || !slices.Equal(done, []int{1, 2}) {
		t.Fatalf("done %v, error %v, want 1 and 2", done, err)
	}
	broken := errors.New("broken")
	b.do(func() error { return broken })
	b.do(func() error { done = append(done, 3); return nil })
	if err := b.wait(); !errors.Is(err, broken) || len(done) != 2 {
		t.Errorf("after a job that failed: done %v, error %v", done, err)
	}
}

// What is written is what the weights were, however late it is written.
func TestCheckpointsAreCopies(t *testing.T) {
	store := model.NewStore()
	v, err := store.Scope("/weights").CreateVariable("w", tensors.FromValue([]float32{1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	tr := &trainer{store: store, progress: Progress{Step: 1}}
	read := func(entries []weights.Entry) (all []float32) {
		data, err := entries[0].Data()
		if err != nil {
			t.Fatal(err)
		}
		all = make([]float32, 2)
		if _, err := binary.Decode(data, binary.LittleEndian, all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	changed := make(chan bool)
	var written [][]float32
	write := func(entries []weights.Entry) error {
		<-changed
		written = append(written, read(entries))
		return nil
	}
	for range 2 { // as best and as the checkpoint of the step
		if err := tr.save(write); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.SetValue(tensors.FromValue([]float32{3, 4})); err != nil {
		t.Fatal(err)
	}
	close(changed)
	tr.progress.Step++
	if err := errors.Join(tr.save(write), tr.saving.wait()); err != nil {
		t.Fatal(err)
	}
	if len(written) != 3 || !slices.Equal(written[0], []float32{1, 2}) || !slices.Equal(written[1], []float32{1, 2}) || !slices.Equal(written[2], []float32{3, 4}) {
		t.Errorf("written %v, want 1 2 twice, and 3 4", written)
	}
	if err := v.SetValue(tensors.FromValue([]float32{5, float32(math.NaN())})); err != nil {
		t.Fatal(err)
	}
	tr.progress.Step++
	if err := tr.save(write); !errors.As(err, new(diverged)) || !strings.Contains(err.Error(), `tensor "weights/w": 1 of 2 values are not finite`) {
		t.Errorf("a value that is no number: error %v", err)
	}
}

// A checkpoint that can't be written ends the training, though steps have gone on since.
func TestACheckpointThatCannotBeWrittenEndsTheTraining(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery = 12, 4, 0
	o := options(b, c, t.TempDir())
	dir := filepath.Join(o.Dir, runs.CheckpointsDir)
	o.Report = func(l runs.Line) {
		if l.Step == 3 {
			if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o644)); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := Train(context.Background(), o); err == nil || errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "checkpoint of step 4: ") {
		t.Errorf("error %v, want that the checkpoint of step 4 can't be written", err)
	}
}

// Copies of a run folder that are made while it is trained go on to the same end.
func TestACopyOfARunInTrainingGoesOn(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.Keep, c.Train.ValidateEvery = 6, 1, 2, 3
	o, copies := options(b, c, t.TempDir()), t.TempDir()
	o.Report = func(l runs.Line) {
		if l.Validation == nil {
			// A file may be gone before it is copied, of which cp complains.
			exec.Command("cp", "-r", o.Dir, filepath.Join(copies, runs.CheckpointName(l.Step))).Run()
		}
	}
	mustTrain(t, o)
	made, err := os.ReadDir(copies)
	if err != nil || len(made) != c.Train.Steps {
		t.Fatalf("%d copies, error %v", len(made), err)
	}
	for _, m := range made {
		dir := filepath.Join(copies, m.Name())
		mustTrain(t, options(b, c, dir))
		if got, want := readFile(t, newest(t, dir)), readFile(t, newest(t, o.Dir)); !slices.Equal(got, want) {
			t.Errorf("%s: the copy ends with other bytes", m.Name())
		}
	}
}

func TestWhichCheckpointsStay(t *testing.T) {
	began := time.Unix(1000000, 0)
	var all []numbered
	for step := 100; step > 0; step -= 10 { // one each quarter of an hour
		all = append(all, numbered{step: step, written: began.Add(time.Duration(step) * time.Minute * 15 / 10)})
	}
	for _, test := range []struct {
		keep, steps int
		hours       float64
		want        []int
	}{
		{1, 0, 0, []int{100}},
		{3, 0, 0, []int{100, 90, 80}},
		{20, 0, 0, []int{100, 90, 80, 70, 60, 50, 40, 30, 20, 10}},
		{1, 40, 0, []int{100, 80, 40}},
		{1, 0, 0.5, []int{100, 90, 70, 50, 30, 10}},
		{2, 0, 1, []int{100, 90, 50, 10}},
		{1, 30, 1, []int{100, 90, 60, 50, 30, 10}},
	} {
		stays := kept(configs.Train{Keep: test.keep, KeepSteps: test.steps, KeepHours: test.hours}, all)
		var got []int
		for i, s := range stays {
			if s {
				got = append(got, all[i].step)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("keep %d, %d steps, %v hours: %v, want %v", test.keep, test.steps, test.hours, got, test.want)
		}
	}
}

// What stays is the same when checkpoints are removed one after the other, as in a training.
func TestCheckpointsThatStayForTheirAge(t *testing.T) {
	c, dir := toy(), t.TempDir()
	c.Train.Keep, c.Train.KeepHours = 1, 1
	run := &Run{Dir: dir, Config: c}
	if err := os.MkdirAll(filepath.Join(dir, runs.CheckpointsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-24 * time.Hour)
	for step := 1; step <= 10; step++ {
		path := filepath.Join(dir, runs.CheckpointsDir, runs.CheckpointName(step))
		at := began.Add(time.Duration(step) * 25 * time.Minute)
		if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		if err := run.tidy(c.Train); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, path := range run.Checkpoints() {
		got = append(got, filepath.Base(path))
	}
	var want []string
	for _, step := range []int{10, 7, 4, 1} {
		want = append(want, runs.CheckpointName(step))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v stay, want %v", got, want)
	}
}
