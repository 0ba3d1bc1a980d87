package eval

import (
	"math"
	"strings"
	"testing"

	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// frameBrightness is brightness of each frame.
type frameBrightness struct{}

func (frameBrightness) Features(list []clips.Clip) (rows [][]float32, err error) {
	for _, c := range list {
		for i := range c.Frames {
			frame, err := brightness{}.Features([]clips.Clip{c.Slice(i, i+1)})
			if err != nil {
				return nil, err
			}
			rows = append(rows, frame...)
		}
	}
	return rows, nil
}

// A metric of sets may have a vector for each frame. They go through an archive, and the report says
// of how many frames the score is. Another number of vectors than was said is an error.
func TestMetricsOfSetsMayHaveAVectorForEachFrame(t *testing.T) {
	p := Protocol{Name: "clean", Task: "predict", Clips: 3, Trajectories: 2, Frames: 3, Advance: 3, Seed: 1}
	opened := metric.Opened{Info: metric.Info{Name: "frames", PerFrame: true}, Sets: frameBrightness{}, Compare: brighter}
	r, _, err := evaluated(t, p, []metric.Opened{opened})
	if err != nil {
		t.Fatal(err)
	}
	// Frames of the same size have the same mean as their clips: see TestMetricsOfSetsReachEveryTask.
	if s := r.Results[0].Scores["frames"].Set; s == nil || !(math.Abs(s.Value-(105-109)) <= 1e-9) || s.Real != 9 || s.Made != 18 {
		t.Errorf("%+v, want -4 of 9 real and 18 generated frames", s)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "frames: of 9 real and 18 generated frames") {
		t.Errorf("report\n%s, %v", &text, err)
	}
	opened.PerFrame = false
	if _, _, err := evaluated(t, p, []metric.Opened{opened}); err == nil || !strings.Contains(err.Error(), "vectors of") {
		t.Errorf("several vectors of a clip: %v, want them refused", err)
	}
}

// Features of frames come back from an archive as they were.
func TestArchiveKeepsAVectorForEachFrame(t *testing.T) {
	a, err := CreateArchive(t.TempDir(), Header{Protocol: Protocol{Clips: 2}}, []Range{{0, 2}})
	if err != nil {
		t.Fatal(err)
	}
	key := FeatureKey{Metric: "frames"}
	p := &Part{Range: Range{0, 2}, Real: Features{key: {{1, 2}, {3, 4}, {5, 6}, {7, 8}}}, Made: Features{}}
	if err := a.Save(p); err != nil {
		t.Fatal(err)
	}
	parts, err := a.Parts()
	if err != nil || len(parts) != 1 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	if rows := parts[0].Real[key]; len(rows) != 4 || rows[2][1] != 6 {
		t.Errorf("%v, want the rows that went in", rows)
	}
}
