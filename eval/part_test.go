package eval

import (
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/data/clips"
	"mcvd/eval/metric"
	"mcvd/models/backend/backendtest"
)

// outlines describes clips by how many frames they have and how bright the outer ones are, but for
// clips of less than five frames.
type outlines struct{}

func (outlines) Features(list []clips.Clip) ([][]float32, error) {
	var rows [][]float32
	for _, c := range list {
		if c.Frames < 5 {
			return nil, metric.Skipped{Reason: "too few frames"}
		}
		rows = append(rows, []float32{float32(c.Frames), float32(c.Pix[0]), float32(c.Pix[len(c.Pix)-1])})
	}
	return rows, nil
}

func nothing(_, _ [][]float32) (float64, error) { return 0, nil }

// A metric of whole clips sees the given frames around the generated ones, in their order; other
// metrics of sets don't. One that can't describe the clips says so of all of them.
func TestMetricsOfWholeClips(t *testing.T) {
	m := counting(t) // 2 past, 3 current and 2 future frames
	g, err := NewGenerator(backendtest.Open(t), model.NewStore(), m, config().Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	f := m.Frames
	for _, tt := range []struct {
		task   string
		frames int // of a whole clip with 3 generated ones
	}{{"predict", f.Past + 3}, {"interpolate", f.Past + 3 + f.Future}, {"retrodict", 3 + f.Future}, {"generate", 3}} {
		metrics := []metric.Opened{
			{Info: metric.Info{Name: "whole", Whole: true}, Sets: outlines{}, Compare: nothing},
			{Info: metric.Info{Name: "generated"}, Sets: outlines{}, Compare: nothing},
		}
		report, parts, err := evaluate(g, rampSet{1}, Protocol{Name: DefaultProtocol, Task: tt.task, Clips: 2, Trajectories: 1, Frames: 3, Advance: 3, Seed: 1}, metrics)
		if err != nil {
			t.Fatal(err)
		}
		enough := tt.frames >= 5
		for _, features := range []Features{parts[0].Real, parts[0].Made} {
			for key, rows := range features {
				if key.Metric != "whole" || !enough {
					t.Errorf("%s: features %v of %s, want none", tt.task, rows, key.Metric)
				} else if row := rows[0]; int(row[0]) != tt.frames || key.Method != "copy last" && key.Method != "copy first" && row[2]-row[1] != float32(tt.frames-1) {
					t.Errorf("%s: a clip %v of %q, want %d frames from dark to bright", tt.task, row, key.Method, tt.frames)
				}
			}
		}
		for name, described := range map[string]bool{"whole": enough, "generated": false} {
			s := report.Results[0].Scores[name]
			if described != (s.Set != nil) || described == (s.Skipped == "too few frames") {
				t.Errorf("%s, %s: %+v", tt.task, name, s)
			}
		}
	}
}
