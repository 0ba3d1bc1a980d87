package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/eval"
	"mcvd/models/backend"
	"mcvd/train/runs"
)

func TestDetailOfAStep(t *testing.T) {
	l := runs.Line{Step: 3, Loss: 0.5, ClipsPerSecond: 20, FLOPs: 3e9}
	if got, want := detail(l), "loss 0.5000, 20.0 clips/s, 3.0 GFLOP/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	first := runs.Line{Step: 501, Loss: 0.5}
	if got, want := detail(first), "loss 0.5000, a step that compiled its programs"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	l.PeakShare = 0.314
	if got, want := detail(l), "loss 0.5000, 20.0 clips/s, 3.0 GFLOP/s (31 % of peak)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Training goes on without a peak where measuring it fails, here on a backend that is closed, and
// says so.
func TestPeakThatCannotBeMeasured(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	b.Finalize()
	for plugin, warning := range map[string]string{"": "", "plugin.so": "the log will have no share of the device's peak: "} {
		var stderr bytes.Buffer
		c := &trainCommand{app: newApp(&stderr)}
		got := c.peak(context.Background(), b, backend.Choice{Plugin: plugin}, configs.Default())
		if got != 0 || !strings.Contains(stderr.String(), warning) || strings.Count(stderr.String(), "\n") != min(1, len(warning)) {
			t.Errorf("plugin %q: %g FLOP/s, says %q, want %q", plugin, got, &stderr, warning)
		}
	}
}

// A run's config.yml may hold a setting without effect that an experiment inherited from its base.
// The run goes on with --set as it does without.
func TestSettingsOfARunThatInheritedIdleOnes(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --backend go --set train.steps=1 --set train.validate_every=0")
	path := filepath.Join("run", "config.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	idle := strings.Replace(string(text), "name: digits\n", "name: digits\n  path: clips/of/the/base\n", 1)
	if idle == string(text) {
		t.Fatalf("no data set in\n%s", text)
	}
	if err := os.WriteFile(path, []byte(idle), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := call(t, "config", "check", path); status == 0 {
		t.Fatal("the setting has an effect: choose another one")
	}
	_, stderr := mustCall(t, "train run --backend go --set train.steps=2")
	if !strings.Contains(stderr, "run: trained 2 steps") {
		t.Errorf("says %q", stderr)
	}
}

// The scores that training logs are those that eval gives the same weights on the validation split.
func TestScoresOfTrainingAreThoseOfEval(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --backend go --set train.steps=4 --set train.scores.every=2 --set train.scores.metrics=[psnr,mmd] --set train.scores.clips=4")
	var scores []map[string]runs.Number
	text, err := os.ReadFile(filepath.Join("run", runs.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var l runs.Line
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Scores != nil {
			scores = append(scores, l.Scores)
		}
	}
	if len(scores) != 2 || scores[0]["psnr"] == scores[1]["psnr"] {
		t.Fatalf("scores %v, want those of two steps, which differ", scores)
	}
	out, _ := mustCall(t, "eval run --backend go --split valid --clips 4 --metrics psnr,mmd --json")
	var report eval.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	of := report.Results[0].Scores
	if got, want := scores[1], of; float64(got["psnr"]) != want["psnr"].Mean.Mean || float64(got["mmd"]) != want["mmd"].Set.Value {
		t.Errorf("training logged %v, eval says %g and %g", got, want["psnr"].Mean.Mean, want["mmd"].Set.Value)
	}
}

func TestScoresThatCannotBeAreRefusedBeforeTraining(t *testing.T) {
	inNewFolder(t)
	for set, want := range map[string]string{
		"train.scores.metrics=[psnr,nice]": `train.scores.metrics: unknown "nice"`,
		"train.scores.metrics=[]":          "train.scores.metrics: an empty list, want at least one metric",
		"train.scores.metrics=[fvd]":       "train.scores: metric fvd: ", // of too few frames, or without weights
		"train.scores.clips=0":             "train.scores.clips: 0, want 1 to 1000000",
		"train.scores.every=-1":            "train.scores.every: -1, want 0 to 1000000000",
	} {
		status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "run", "--backend", "go", "--set", "train.scores.every=2", "--set", set)
		if status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit status %d, says %q, want %q", set, status, stderr, want)
		}
	}
	if _, err := os.Stat("run"); err == nil {
		t.Error("a run folder was made")
	}
}

// A scheduler tells a run that it stopped, and that goes on, from one that failed and from one that is
// done.
func TestAStoppedTrainingHasItsOwnExitStatus(t *testing.T) {
	inNewFolder(t)
	ctx, stop := context.WithCancelCause(context.Background())
	stop(errors.New("terminated"))
	var out, stderr bytes.Buffer
	line := strings.Fields("train -c configs/tiny.yml -o run --backend go --set train.steps=2 --set train.validate_every=0 --set train.sample_every=0")
	if status := run(ctx, line, &out, &stderr); status != exitStopped || !strings.Contains(stderr.String(), "stopped at step") {
		t.Fatalf("exit status %d, says %q, want %d and at which step", status, &stderr, exitStopped)
	}
	mustCall(t, strings.Join(line, " "))
	if status := run(ctx, strings.Fields("train nowhere"), &out, &stderr); status != exitFailure {
		t.Errorf("a run that is not there: exit status %d, want %d", status, exitFailure)
	}
	if status := run(ctx, strings.Fields("eval run --backend go --clips 1 --metrics psnr"), &out, &stderr); status != exitStopped {
		t.Errorf("an evaluation that was stopped: exit status %d, want %d", status, exitStopped)
	}
}
