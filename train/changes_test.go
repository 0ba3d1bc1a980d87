package train

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
)

// Other settings and other data than those of the checkpoint are refused. If they are accepted, the log
// has them, and from there on they belong to the run: the next process need not accept them again.
func TestChangesMustBeAcceptedAndAreRecorded(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.Steps, c.Train.ValidateEvery = 4, 2
	dir := t.TempDir()
	ctx, o := stopAt(options(b, c, dir), 2)
	Train(ctx, o)
	changed := *c
	changed.Optimizer.LearningRate /= 2
	changed.Train.Batch *= 2
	settings := []string{
		"optimizer.learning_rate: 0.0002 -> 0.0001", "train.batch: 4 -> 8",
	}
	fewer := options(b, &changed, dir)
	fewer.Train = waves{c.Data.Size, 7}
	moved := "data of split train: 9 videos -> 7, other names, lengths or labels, other frames"
	before := snapshotFolder(t, dir)
	for want, o := range map[string]Options{settings[0]: fewer, moved: func() Options { o := options(b, c, dir); o.Train = fewer.Train; return o }()} {
		if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--accept-changes") {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
	if after := snapshotFolder(t, dir); !slices.Equal(after, before) {
		t.Error("refused, and yet the folder has changed")
	}
	var log bytes.Buffer
	fewer.AcceptChanges, fewer.Log = true, slog.New(slog.NewTextHandler(&log, nil))
	ctx, accepted := stopAt(fewer, 3)
	Train(ctx, accepted)
	var recorded []string
	for _, l := range lines(t, dir) {
		if l.Changes != nil && l.Step == 2 {
			recorded = append(recorded, l.Changes...)
		}
	}
	if want := append(settings, moved); !slices.Equal(recorded, want) || !strings.Contains(log.String(), settings[0]) {
		t.Errorf("the log has %q, want %q; said: %s", recorded, want, &log)
	}
	again := options(b, &changed, dir)
	again.Train = fewer.Train
	mustTrain(t, again)

	other := changed
	other.Diffusion.Schedule, other.Diffusion.Options = "cosine", nil
	o = options(b, &other, dir)
	o.AcceptChanges = true
	if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), "--accept-changes can't change") {
		t.Errorf("weights that mean something else: error %v", err)
	}
}

// A process that is killed right after it recorded a change has the change in its checkpoint.
func TestARecordedChangeIsSavedAtOnce(t *testing.T) {
	b, c := backendtest.OpenGo(t), dense()
	c.Train.Steps, c.Train.ValidateEvery = 4, 0
	dir := t.TempDir()
	ctx, o := stopAt(options(b, c, dir), 2)
	Train(ctx, o)
	changed := *c
	changed.Seed++
	o = options(b, &changed, dir)
	o.AcceptChanges = true
	ctx, o = stopAt(o, 0)
	Train(ctx, o)
	f, p, err := openCheckpoint(newest(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if is, err := settings(f); err != nil || is.Seed != changed.Seed || p.Step != 2 {
		t.Errorf("the checkpoint of step %d has seed %d, %v, want step 2, %d", p.Step, is.Seed, err, changed.Seed)
	}
}

// Checkpoints of before there were fingerprints say nothing of data, which is no change.
func TestCheckpointsWithoutDataAreResumed(t *testing.T) {
	dir := t.TempDir()
	if err := create(dir, ones()); err != nil {
		t.Fatal(err)
	}
	f, _, err := openCheckpoint(newest(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if lines, err := (splits{clips.Train: data.Fingerprint{Videos: 3}}).changed(f); err != nil || lines != nil {
		t.Errorf("changes %v, error %v, want none", lines, err)
	}
}
