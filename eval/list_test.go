package eval

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
)

// An evaluation by a list scores the clips of the evaluation that it was listed of, whatever its seed,
// and its videos can be made again from the report alone.
func TestClipsOfAList(t *testing.T) {
	b, m := backendtest.Open(t), counting(t)
	g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	p := Protocol{Name: "clean", Task: "predict", Clips: 3, Trajectories: 1, Frames: 3, Advance: 3, Seed: 1, Split: clips.Test}
	plain, _, err := evaluate(g, rampSet{1}, p, allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := plain.Protocol.ListClips(rampSet{1}, config().Frames)
	if err != nil {
		t.Fatal(err)
	}
	other := p
	other.Seed, other.Clips = 5, 0
	by, _, err := evaluate(g, rampSet{1}, other.WithClips(l), allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(by.places(), plain.places()) || len(by.places()) != 3 {
		t.Errorf("clips %v, want %v", by.places(), plain.places())
	}
	if h := by.Header.Protocol; h.ClipsSHA256 != l.Hash() || h.Rules.Order != "listed" || h.Clips != 3 || plain.Header.Protocol.ClipsSHA256 != "" {
		t.Errorf("the report says %+v", h)
	}
	again, err := by.Again(rampSet{1}, config().Frames)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEvaluation(g, rampSet{1}, again, allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(by.Records, func(r Record) bool { return r.Method == modelMethod })
	if _, err := e.Repeat(context.Background(), by.Records[at:at+1], nil); err != nil {
		t.Errorf("videos made again: %v", err)
	}
	by.Records[at].Start++
	if _, err := by.Again(rampSet{1}, config().Frames); err == nil || !strings.Contains(err.Error(), "clips_sha256: ") {
		t.Errorf("records that were changed: %v", err)
	}
}

func TestListsOfOtherLengthsAreRefused(t *testing.T) {
	b, m := backendtest.OpenGo(t), counting(t)
	g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	p := Protocol{Name: "bair", Task: "predict", Frames: 3, Clips: 3, Split: clips.Test, Seed: 1}
	l, err := p.ListClips(rampSet{1}, config().Frames)
	if err != nil {
		t.Fatal(err)
	}
	p.Frames = 4
	if _, err := NewEvaluation(g, rampSet{1}, p.WithClips(l), nil); err == nil || !strings.Contains(err.Error(), "list of clips of 5 frames, want 6") {
		t.Errorf("one frame more: %v", err)
	}
	done, err := p.WithClips(l).Complete(config().Frames)
	if err != nil || !strings.Contains(strings.Join(done.Deviations, "\n"), "clips of a list, published: evenly spread") {
		t.Errorf("a published protocol deviates in %q, %v", done.Deviations, err)
	}
}
