package train

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/train/optimizer"
)

// tables are settings that have every entry of every table once or more.
func tables() []configs.Optimizer {
	names, schedules, emas := optimizer.Names(), optimizer.Rates(), optimizer.Averages()
	var all []configs.Optimizer
	for i := range max(len(names), len(schedules), len(emas)) {
		o := configs.Default().Optimizer
		o.Name, o.Schedule, o.EMA = names[i%len(names)], schedules[i%len(schedules)], emas[i%len(emas)]
		o.WarmupSteps, o.WeightDecay = 5, 0.01
		if o.EMA == "constant" {
			o.Options = configs.Options{"ema_decay": 0.9}
		}
		all = append(all, o)
	}
	return all
}

// Every optimizer, rate and average goes on from a checkpoint in the middle with the same bytes.
func TestEveryOptimizerResumes(t *testing.T) {
	b := backendtest.OpenGo(t)
	for _, o := range tables() {
		t.Run(fmt.Sprintf("%s, %s, %s", o.Name, o.Schedule, o.EMA), func(t *testing.T) {
			c := toy()
			c.Optimizer, c.Train.ValidateEvery = o, 0
			whole, dir := t.TempDir(), t.TempDir()
			mustTrain(t, options(b, c, whole))
			ctx, stopped := stopAt(options(b, c, dir), 7)
			if _, err := Train(ctx, stopped); !errors.Is(err, ErrStopped) {
				t.Fatal(err)
			}
			mustTrain(t, options(b, c, dir))
			sameRuns(t, dir, whole, c)
		})
	}
}

// A schedule that ends at train.steps makes other learning rates when these change, which is said,
// with the next one. Others don't.
func TestOtherStepsOfAFallingRateAreSaid(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.ValidateEvery, c.Train.Steps, c.Optimizer.WarmupSteps = 0, 4, 0
	for schedule, want := range map[string]string{"constant": "",
		"linear": "optimizer.schedule linear ends at train.steps, which was 4 and is 10: from here on the learning rate is another, 0.0001 instead of 0 in the next step",
		"cosine": "optimizer.schedule cosine ends at train.steps, which was 4 and is 10: from here on the learning rate is another, 0.0001 instead of 0 in the next step"} {
		c.Optimizer.Schedule, c.Train.Steps = schedule, 4
		dir := t.TempDir()
		mustTrain(t, options(b, c, dir))
		for range 2 { // the second time they are what they were
			c.Train.Steps = 10
			var log bytes.Buffer
			ctx, o := stopAt(options(b, c, dir), 5)
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			if _, err := Train(ctx, o); want != "" && err == nil {
				t.Fatal("the run was not stopped")
			}
			if !strings.Contains(log.String(), want) || want == "" && strings.Contains(log.String(), "learning rate is another") {
				t.Errorf("%s: says %q, want %q", schedule, &log, want)
			}
			want = ""
		}
	}
}
