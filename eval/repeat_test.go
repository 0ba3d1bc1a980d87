package eval

import (
	"context"
	"math"
	"strings"
	"testing"

	"mcvd/models/backend/backendtest"
)

// Videos that are generated again, in another batch and order, have the scores of their records.
func TestRepeatedVideosHaveTheirScores(t *testing.T) {
	b, c := backendtest.Open(t), config()
	m, store := trained(t, b, c)
	p := Protocol{Name: "clean", Task: "predict", Clips: 4, Trajectories: 2, Frames: 3, Advance: 2, Seed: 1}
	first, err := NewGenerator(b, store, m, c.Sampler, 1, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	report, _, err := evaluate(first, rampSet{1}, p, allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	var records []Record
	for i, r := range report.Records {
		if r.Method == modelMethod && i%3 != 1 {
			records = append([]Record{r}, records...)
		}
	}
	second, err := NewGenerator(b, store, m, c.Sampler, 1, len(records), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	e, err := NewEvaluation(second, rampSet{1}, p, allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	repeated, err := e.Repeat(context.Background(), records, nil)
	if err != nil || len(repeated) != len(records) || len(records) < 4 {
		t.Fatalf("%d videos of %d records, %v", len(repeated), len(records), err)
	}
	others := 0
	for i, v := range repeated {
		was, is := records[i].Scores["psnr"], v.Scores["psnr"]
		if !(math.Abs(was.Value-is.Value) <= 1e-3) {
			t.Errorf("clip %d, trajectory %d: %g dB again, want %g", v.Record.Clip, v.Record.Trajectory, is.Value, was.Value)
		}
		if v.Made.Frames != 3 || v.Case.Clip != records[i].Clip || v.Case.Trajectory != records[i].Trajectory || len(v.Scores) != 1 {
			t.Errorf("video %d: %d frames of clip %d, scores %v; want 3 frames, and psnr alone", i, v.Made.Frames, v.Case.Clip, v.Scores)
		}
		if i > 0 && math.Abs(is.Value-repeated[0].Scores["psnr"].Value) > 1e-2 {
			others++
		}
	}
	if others == 0 {
		t.Error("all videos have the same score, so nothing was compared")
	}

	records[1].Frames++ // other pixels
	if _, err := e.Repeat(context.Background(), records, nil); err == nil || !strings.Contains(err.Error(), "these are not the data that were evaluated") {
		t.Errorf("clips of other pixels: error %v", err)
	}
}
