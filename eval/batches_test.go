package eval

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mcvd/models/backend/backendtest"
)

// Scores don't depend on how many videos are made together, and the report prints them, and no
// score as such.
func TestScoresDoNotDependOnTheBatch(t *testing.T) {
	b, c := backendtest.Open(t), config()
	m, store := trained(t, b, c)
	var first *Report
	for _, batch := range []int{4, 1, 3} {
		g, err := NewGenerator(b, store, m, c.Sampler, 1, batch, 1)
		if err != nil {
			t.Fatal(err)
		}
		report, _, err := evaluate(g, rampSet{1}, Protocol{Name: "clean", Task: "predict", Clips: 4, Trajectories: 2, Frames: 2, Advance: 2, Seed: 1}, allMetrics(t))
		g.Close()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = report
		}
		got, want := report.Results[0].Scores["psnr"], first.Results[0].Scores["psnr"]
		if !(math.Abs(got.Mean.Mean-want.Mean.Mean) <= 1e-3 && math.Abs(got.Best.Mean-want.Best.Mean) <= 1e-3) {
			t.Errorf("batch %d: mean %g, best %g dB, want %g and %g", batch, got.Mean.Mean, got.Best.Mean, want.Mean.Mean, want.Best.Mean)
		}
		mean := 0.0
		for _, x := range got.BestByFrame {
			mean += x / float64(len(got.BestByFrame))
		}
		if !(want.Best.Mean > want.Mean.Mean) || !(mean > got.Mean.Mean-3) {
			t.Errorf("batch %d: best %g dB, by frame %v, want more than the mean %g", batch, got.Best.Mean, got.BestByFrame, want.Mean.Mean)
		}
	}
	var text strings.Builder
	if err := first.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"best of 2", "mean of 2", "ssim: skipped: "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("report\n%s\nwant %q in it", &text, want)
		}
	}
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, "copy last") && strings.Contains(line, "[") && !slices.Contains(strings.Fields(line), "-") {
			t.Errorf("line %q, want no SSIM, written -", line)
		}
	}
}
