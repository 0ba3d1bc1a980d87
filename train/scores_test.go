package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	o := options(b, c, t.TempDir())
	o.Score = func(context.Context, *model.Store) (map[string]float64, error) { return nil, errors.New("no ruler") }
	if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), "scores of step 4: no ruler") {
		t.Errorf("error %v, want that of the scores", err)
	}
}
