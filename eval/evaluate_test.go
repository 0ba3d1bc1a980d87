package eval

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/data/clips"
	"mcvd/eval/metric"
	"mcvd/models/backend/backendtest"
)

// allMetrics are those that need no weights.
func allMetrics(t *testing.T) []metric.Opened {
	t.Helper()
	opened, err := metric.Open([]string{"psnr", "ssim", "mmd"}, metric.Needs{})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// evaluate makes all parts of an evaluation and sums them up.
func evaluate(g *Generator, ds clips.Dataset, p Protocol, metrics []metric.Opened) (*Report, []*Part, error) {
	e, err := NewEvaluation(g, ds, p, metrics)
	if err != nil {
		return nil, nil, err
	}
	compare := map[string]metric.Compare{}
	for _, m := range metrics {
		if m.Sets != nil {
			compare[m.Name] = m.Compare
		}
	}
	var parts []*Part
	for _, r := range e.Parts() {
		part, err := e.Part(context.Background(), r, nil)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, part)
	}
	report, err := Sum(e.Header(), parts, compare)
	return report, parts, err
}

// rampSet has videos whose frames get brighter by a constant amount.
type rampSet struct{ step int }

func (rampSet) Len() int            { return 5 }
func (s rampSet) Name(i int) string { return fmt.Sprint(i) }
func (s rampSet) Frames(int) int    { return 1000 }

func (s rampSet) Clip(i, _, frames int) (clips.Clip, error) {
	c := clips.NewClip(frames, 4, 4, 1)
	for k := range frames {
		for p := range 16 {
			c.Slice(k, k+1).Pix[p] = uint8(100 + s.step*k)
		}
	}
	return c, nil
}

// The counting network is right where frames grow by a level of grey; the baselines are known.
func TestEvaluate(t *testing.T) {
	b, m := backendtest.Open(t), counting(t)
	for _, tt := range []struct {
		task     string
		baseline string
		wantMSE  float64 // of the baseline, in grey levels squared
	}{
		{"predict", "copy last", (1 + 4 + 9) / 3.0},
		{"retrodict", "copy first", (1 + 4 + 9) / 3.0},
		{"interpolate", "linear blend", 0},
	} {
		t.Run(tt.task, func(t *testing.T) {
			g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 1, 2, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			report, _, err := evaluate(g, rampSet{1}, Protocol{Name: "clean", Task: tt.task, Clips: 3, Trajectories: 2, Frames: 3, Advance: 3, Seed: 1}, allMetrics(t))
			if err != nil {
				t.Fatal(err)
			}
			scores := map[string]Score{}
			for _, r := range report.Results {
				scores[r.Method] = r.Scores["psnr"]
				if r.Scores["ssim"].Skipped == "" {
					t.Errorf("%s: SSIM of 4x4 frames is not skipped", r.Method)
				}
			}
			if report.Results[0].Method != "model" || scores["model"].Best.N != 3 {
				t.Errorf("first row %q with %d clips, want the model with 3", report.Results[0].Method, scores["model"].Best.N)
			}
			want := 100.0
			if tt.wantMSE > 0 {
				want = 10 * math.Log10(255*255/tt.wantMSE)
			}
			if got := scores[tt.baseline].Mean.Mean; !(math.Abs(got-want) <= 1e-9) {
				t.Errorf("%s: %.4f dB, want %.4f", tt.baseline, got, want)
			}
			if got := scores["model"].Mean.Mean; got != 100 { // of equal frames
				t.Errorf("model: %.2f dB, want 100", got)
			}
			if n := len(scores["model"].MeanByFrame); n != 3 {
				t.Errorf("%d frames in the curve, want 3", n)
			}
		})
	}
}

// A generated video has no counterpart: no score, and no zero either.
func TestEvaluateGenerateSkipsScores(t *testing.T) {
	b, m := backendtest.Open(t), counting(t)
	g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	report, _, err := evaluate(g, rampSet{1}, Protocol{Name: "clean", Task: "generate", Clips: 2, Trajectories: 1, Frames: 5, Advance: 2, Seed: 1}, allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 1 || report.Results[0].Scores["psnr"].Skipped == "" {
		t.Errorf("results %+v, want one with skipped scores", report.Results)
	}
	if report.NFE != 3 || report.NFEPerFrame != 0.6 { // windows of 2 frames, one evaluation each
		t.Errorf("NFE %d, %g a frame, want 3 and 0.6", report.NFE, report.NFEPerFrame)
	}
}

// However long the videos of an evaluation are, they are compared with the real frames, while
// videos that are only to be looked at do without them beyond [MaxCompared].
func TestLongVideosAreScored(t *testing.T) {
	const frames = MaxCompared + 3
	for _, task := range []string{"predict", "interpolate", "retrodict"} {
		g, err := NewGenerator(backendtest.Open(t), model.NewStore(), counting(t), config().Sampler, 1, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		report, _, err := evaluate(g, rampSet{0}, Protocol{Name: "clean", Task: task, Clips: 1, Trajectories: 1, Frames: frames, Advance: 3, Seed: 1}, allMetrics(t))
		if err != nil {
			t.Fatal(err)
		}
		// A baseline that repeats what it is given is right where nothing changes.
		for _, r := range report.Results[1:] {
			if s := r.Scores["psnr"]; s.Skipped != "" || s.Best.N != 1 || !(s.Best.Mean == 100) || len(s.BestByFrame) != frames {
				t.Errorf("%s, %s: %+v of %d frames, want 100 dB for each of %d", task, r.Method, s.Best, len(s.BestByFrame), frames)
			}
		}
		if len(report.Results) < 2 {
			t.Errorf("%s: no baseline", task)
		}
	}
}
