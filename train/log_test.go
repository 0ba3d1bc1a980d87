package train

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

func TestProgressSurvivesAFile(t *testing.T) {
	p := Progress{Step: 5, Updates: 4, SkippedInARow: 1, BestLoss: 0.1, BestStep: 3,
		Unlogged: means{Loss: runs.Number(math.NaN()), GradientNorm: 0.1 + 0.2, LearningRate: 1e-300, Steps: 2, Skipped: 1}}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Progress
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(float64(back.Unlogged.Loss)) {
		t.Errorf("loss %g, want NaN", back.Unlogged.Loss)
	}
	back.Unlogged.Loss, p.Unlogged.Loss = 0, 0
	if back != p {
		t.Errorf("%+v, want %+v", back, p)
	}
	var old Progress
	if err := json.Unmarshal([]byte(`{"step":1,"updates":1}`), &old); err != nil || old != (Progress{Step: 1, Updates: 1}) {
		t.Errorf("%+v, error %v", old, err)
	}
}

func TestALogIsCutBehindTheStepItGoesOnFrom(t *testing.T) {
	const log = "{\"step\":4,\"loss\":1}\n{\"step\":4,\"loss\":1,\"validation\":[1]}\n{\"step\":8,\"loss\":1}\n{\"step\":10,\"lo"
	const damaged, three = "{\"step\":1,\"loss\":1}\n\x00\x00\x00\n{\"step\":2,\"loss\":1}\n", "{\"step\":3,\"loss\":1}\n"
	for _, c := range []struct {
		name, before, after string
		step                int
		named               string // the lines that are named as damaged
	}{
		{"none yet", "", "", 0, ""},
		{"none of it counts", log, "", 0, ""},
		{"the lines of the step itself stay", log, log[:len(log)-len("{\"step\":8,\"loss\":1}\n{\"step\":10,\"lo")], 4, ""},
		{"a torn line goes", log, log[:len(log)-len("{\"step\":10,\"lo")], 99, ""},
		{"what is no line stays, with all behind it", damaged + three, damaged, 2, "[2]"},
		{"what is no line at the end goes", damaged + "[]\nnull\n", damaged, 99, "\"[2 4 5]\""},
		{"a step that is too high by damage stays", "{\"step\":9,\"loss\":1}\n" + damaged + three, "{\"step\":9,\"loss\":1}\n" + damaged, 2, "\"[1 3]\""},
		{"many that are none", strings.Repeat("x\n", 20) + damaged, strings.Repeat("x\n", 20) + damaged, 2, "\"[1 2 3 4 5 6 7 8 9 10]\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, out := filepath.Join(t.TempDir(), runs.LogFile), bytes.Buffer{}
			if c.before != "" {
				if err := os.WriteFile(path, []byte(c.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			l, err := openLog(path, c.step, slog.New(slog.NewTextHandler(&out, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if err := l.write(runs.Line{Step: 100, Loss: 2}); err != nil {
				t.Fatal(err)
			}
			l.file.Close()
			log := string(readFile(t, path))
			added, ok := strings.CutPrefix(log, c.after)
			var line runs.Line
			if err := json.Unmarshal([]byte(added), &line); err != nil || !ok || line.Step != 100 || line.Loss != 2 {
				t.Errorf("the log is %q, error %v, want %q and a line of step 100", log, err, c.after)
			}
			if named := out.String(); strings.Contains(named, "damaged") != (c.named != "") || !strings.Contains(named, c.named) {
				t.Errorf("says %q, want that lines %s are damaged", named, c.named)
			}
			if age := float64(time.Now().Unix()) - float64(line.Time); !(math.Abs(age) <= 60) {
				t.Errorf("the line was written %g s ago, want now", age)
			}
		})
	}
}

// A clip is three forward passes' FLOPs. The share of the peak is the FLOP/s by it; without a peak
// there is none in the log.
func TestSpeedsInTheLog(t *testing.T) {
	b, c := backendtest.Open(t), dense()
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.ValidateEvery = 2, 1, 2
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	size, err := m.Declare(b, model.NewStore().RootScope(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, peak := range []float64{0, 3e9} {
		o := options(b, c, t.TempDir())
		measured := 0
		o.Peak = func(context.Context) float64 { measured++; return peak }
		mustTrain(t, o)
		if mustTrain(t, o); measured != 1 { // the second time there is nothing to do
			t.Errorf("the peak was measured %d times, want once", measured)
		}
		if log := string(readFile(t, filepath.Join(o.Dir, runs.LogFile))); strings.Contains(log, "peak_share") != (peak > 0) {
			t.Errorf("peak %g: the log is\n%s", peak, log)
		}
		for _, l := range lines(t, o.Dir) {
			if l.Validation != nil {
				continue
			}
			if l.Step == 1 { // it compiles
				if l.FLOPs != 0 || l.ClipsPerSecond != 0 || l.PeakShare != 0 || l.Waiting != 0 || l.Exchanging != 0 || l.Lagging != 0 {
					t.Errorf("the first step has speeds: %+v", l)
				}
				continue
			}
			if got, want := float64(l.FLOPs/l.ClipsPerSecond), 3*size.FLOPs; !(math.Abs(got-want) <= 1e-9*want) {
				t.Errorf("step %d: %g FLOP a clip, want %g", l.Step, got, want)
			}
			if got, want := float64(l.PeakShare)*peak, float64(l.FLOPs); peak > 0 && !(math.Abs(got-want) <= 1e-9*want) {
				t.Errorf("step %d: a share of %g at %g FLOP/s, want that of %g", l.Step, l.PeakShare, want, peak)
			}
		}
	}
}
