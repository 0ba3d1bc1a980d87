package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/backendtest"
	"mcvd/models/weights"
)

// scoring is a Score hook whose value depends on the averaged weights. Its call number stop, from 1
// on, ends ctx, as Ctrl-C does while videos are generated.
func scoring(t *testing.T, stop int, cancel context.CancelFunc) func(context.Context, *model.Store) (map[string]float64, error) {
	calls := 0
	return func(ctx context.Context, store *model.Store) (map[string]float64, error) {
		if calls++; calls == stop {
			cancel()
			return nil, ctx.Err()
		}
		sum := 0.0
		for _, w := range values(t, store, "/ema/in/w") {
			sum += float64(w)
		}
		return map[string]float64{"sum": sum, "none": math.NaN()}, nil
	}
}

// sameTensors fails unless two checkpoints hold the same bits; what they say of progress may differ.
func sameTensors(t *testing.T, got, want string) {
	t.Helper()
	var files [2]*weights.File
	for i, path := range []string{got, want} {
		var err error
		if files[i], err = weights.Open(path); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	all := files[1].Tensors()
	if n := len(files[0].Tensors()); n != len(all) || n == 0 {
		t.Fatalf("%d tensors, want %d", n, len(all))
	}
	for _, tensor := range all {
		a, err := files[0].Read(tensor.Name)
		b, err2 := files[1].Read(tensor.Name)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", tensor.Name)
		}
	}
}

// Scores are logged when they are due, and change no weight. A run that is stopped while videos are
// scored makes up for it, also after its last step.
func TestScoresAreLoggedOnceAndSurviveAStop(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Scores.Every = 4
	plain := options(b, c, t.TempDir())
	mustTrain(t, plain) // without a hook there are none
	whole := options(b, c, t.TempDir())
	whole.Score = scoring(t, 0, nil)
	mustTrain(t, whole)
	var steps []int
	for _, l := range lines(t, whole.Dir) {
		if l.Scores == nil {
			continue
		}
		steps = append(steps, l.Step)
		if none, ok := l.Scores["none"]; !ok || !math.IsNaN(float64(none)) || !math.IsNaN(float64(l.Loss)) || l.Scores["sum"] == 0 {
			t.Errorf("step %d: %+v, want a sum, no other score, and no loss", l.Step, l)
		}
	}
	if fmt.Sprint(steps) != "[4 8 12]" {
		t.Errorf("scores of steps %v, want 4, 8 and 12", steps)
	}
	sameTensors(t, newest(t, whole.Dir), newest(t, plain.Dir))
	for stop := 1; stop <= 3; stop++ {
		ctx, cancel := context.WithCancel(context.Background())
		o := options(b, c, t.TempDir())
		o.Score = scoring(t, stop, cancel)
		_, err := Train(ctx, o)
		cancel()
		if want := fmt.Sprintf("stopped at step %d of 12", 4*stop); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), want) {
			t.Fatalf("error %v, want that it %s", err, want)
		}
		o = options(b, c, o.Dir)
		o.Score = scoring(t, 0, nil)
		mustTrain(t, o)
		sameRuns(t, o.Dir, whole.Dir, c)
	}
}

// A score that fails ends no training: it is said, the log has no number for it, and the weights are
// those of a run without scores.
func TestScoresThatFailLoseNoTraining(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	plain := options(b, c, t.TempDir())
	mustTrain(t, plain)
	c.Train.Scores.Every, c.Train.Scores.Metrics = 4, []string{"psnr", "fvd"}
	o, log := options(b, c, t.TempDir()), &bytes.Buffer{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	good := scoring(t, 0, nil)
	o.Score = func(ctx context.Context, store *model.Store) (map[string]float64, error) {
		if strings.Contains(log.String(), "no ruler") {
			return good(ctx, store)
		}
		return nil, errors.New("no ruler")
	}
	mustTrain(t, o)
	sameTensors(t, newest(t, o.Dir), newest(t, plain.Dir))
	if said := log.String(); strings.Count(said, "scores are left out") != 1 || !strings.Contains(said, "step=4 because=\"no ruler\"") {
		t.Errorf("says %s, want one line of step 4 with the reason", said)
	}
	var of []string
	for _, l := range lines(t, o.Dir) {
		if l.Scores == nil {
			continue
		}
		of = append(of, fmt.Sprint(l.Step))
		if failed := l.Step == 4; failed && (len(l.Scores) != 2 || !math.IsNaN(float64(l.Scores["psnr"])) || !math.IsNaN(float64(l.Scores["fvd"]))) || !failed && l.Scores["sum"] == 0 {
			t.Errorf("step %d: %v, want no numbers in step 4 and scores after it", l.Step, l.Scores)
		}
	}
	if strings.Join(of, " ") != "4 8 12" {
		t.Errorf("lines with scores of steps %v, want 4, 8 and 12", of)
	}
}
