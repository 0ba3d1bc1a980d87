package published

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/weights"
	"mcvd/train"
)

// A run that goes by way of a published checkpoint ends with the same bytes as one that doesn't:
// weights, average, Adam's means, its updates and with these the warm-up are all there, in their
// places.
func TestTrainingGoesOnFromAPublishedCheckpoint(t *testing.T) {
	c, err := experiment.Load("../../configs/tiny.yml", "train.steps=4", "train.validate_every=0", "train.sample_every=0", "optimizer.warmup_steps=20")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	direct, roundabout := filepath.Join(dir, "direct"), filepath.Join(dir, "roundabout")
	progress := trained(t, direct, c, 4)
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.List(backendtest.Open(t))
	if err != nil {
		t.Fatal(err)
	}
	w, err := published(l)
	if err != nil {
		t.Fatal(err)
	}
	run := &train.Run{Dir: direct, Config: c}
	f, err := weights.Open(run.Checkpoints()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	imported := opened(t, saved(t, publishedList(t, f, w, progress)))
	entries, err := imported.Entries(l)
	if err != nil {
		t.Fatal(err)
	}
	p := train.Progress{Step: imported.Step, Updates: imported.Updates}
	if err := train.Create(roundabout, c, p, entries, []string{"mcvd", "import"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{direct, roundabout} {
		trained(t, folder, c, 9)
	}
	same(t, direct, roundabout)
}

// trained takes a run to a step.
func trained(t *testing.T, dir string, c *configs.Config, steps int) train.Progress {
	t.Helper()
	config := *c
	config.Train.Steps = steps
	ds, err := data.Open(context.Background(), &config, clips.Train, config.Frames.Total(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p, err := train.Train(context.Background(), train.Options{Config: &config, Dir: dir, Backend: backendtest.Open(t), Train: ds,
		Command: []string{"mcvd", "train"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// publishedList is what the published code would have saved of a checkpoint.
func publishedList(t *testing.T, f *weights.File, w []located, p train.Progress) list {
	t.Helper()
	tensor := func(scope string, p located) view {
		values, err := f.Float32s(scope + "/" + p.Path)
		if err != nil {
			t.Fatal(err)
		}
		return float32s(p.Layout.ToPublished(values, p.Shape), p.Layout.Shape(p.Shape)...)
	}
	inOrder := slices.SortedStableFunc(slices.Values(w), func(a, b located) int {
		return moduleNumber(a.Name) - moduleNumber(b.Name)
	})
	var model, ema ordered
	var state dict
	numbers := list{}
	for i, p0 := range inOrder {
		model = append(model, pair{"module." + p0.Name, tensor(models.WeightsScope, p0)})
		ema = append(ema, pair{p0.Name, tensor(models.EMAScope, p0)})
		state = append(state, pair{i, dict{{"step", float32s([]float32{float32(p.Updates)})},
			{"exp_avg", tensor(models.AdamMeanScope, p0)}, {"exp_avg_sq", tensor(models.AdamSquareScope, p0)}}})
		numbers = append(numbers, i)
	}
	return list{model, dict{{"state", state}, {"param_groups", list{dict{{"params", numbers}}}}}, 0, p.Step, ema}
}

// same fails unless the newest checkpoints of two runs are equal.
func same(t *testing.T, a, b string) {
	t.Helper()
	var files [][]byte
	var names []string
	for _, dir := range []string{a, b} {
		path := (&train.Run{Dir: dir}).Checkpoints()[0]
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files, names = append(files, content), append(names, strings.TrimPrefix(path, dir))
	}
	if names[0] != names[1] || !bytes.Equal(files[0], files[1]) {
		t.Errorf("%s of %d bytes and %s of %d bytes differ", names[0], len(files[0]), names[1], len(files[1]))
	}
}
