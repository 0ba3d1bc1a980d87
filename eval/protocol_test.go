package eval

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// What is left open becomes the published setting for the model's past frames; what is not as
// published is said.
func TestProtocolsAreCompleted(t *testing.T) {
	for _, tt := range []struct {
		p      Protocol
		past   int
		want   string // clips, trajectories, frames, advance
		differ string
	}{
		{Protocol{Name: "clean", Task: "retrodict"}, 3, "16 1 5 5", ""},
		{Protocol{Name: "clean", Task: "predict", Clips: 4, Trajectories: 2, Frames: 9, Advance: 1}, 3, "4 2 9 1", ""},
		{Protocol{Name: "smmnist", Task: "predict"}, 5, "256 10 10 5", ""},
		{Protocol{Name: "kth", Task: "predict"}, 10, "256 10 30 5", ""},
		{Protocol{Name: "kth", Task: "predict", Frames: 40}, 10, "256 10 40 5", ""},
		{Protocol{Name: "bair", Task: "predict"}, 1, "256 10 15 5", ""},
		{Protocol{Name: "bair", Task: "predict"}, 2, "256 10 14 5", ""},
		{Protocol{Name: "bair", Task: "predict", Frames: 28}, 2, "256 10 28 5", ""},
		{Protocol{Name: "bair", Task: "predict", Frames: 28}, 1, "256 10 28 5", "predict of 28 frames after 1, published: predict of 15 after 1, predict of 14 after 2, predict of 28 after 2"},
		{Protocol{Name: "bair", Task: "predict", Advance: 1}, 2, "256 10 14 1", "1 frames kept of each block, published: all 5"},
		{Protocol{Name: "cityscapes", Task: "predict", Clips: 8}, 2, "8 10 28 5", "8 clips, published: 256"},
		{Protocol{Name: "ucf101", Task: "generate", Trajectories: 1}, 4, "256 1 16 5", "1 trajectories, published: 10"},
		{Protocol{Name: "bair", Task: "predict", Split: "valid"}, 1, "256 10 15 5", "split valid, published: test"},
		{Protocol{Name: "clean", Task: "predict", Split: "valid"}, 1, "16 1 5 5", ""},
		{Protocol{Name: "ucf101", Task: "interpolate"}, 4, "256 10 5 5", "interpolate of 5 frames after 4"},
	} {
		got, err := tt.p.Complete(configs.Frames{Past: tt.past, Current: 5, Future: 5})
		if err != nil {
			t.Fatal(err)
		}
		if counts := fmt.Sprint(got.Clips, got.Trajectories, got.Frames, got.Advance); counts != tt.want {
			t.Errorf("%+v: %s, want %s", tt.p, counts, tt.want)
		}
		if differ := strings.Join(got.Deviations, "; "); tt.differ == "" != (differ == "") || !strings.Contains(differ, tt.differ) {
			t.Errorf("%+v: deviates in %q, want %q", tt.p, differ, tt.differ)
		}
		again, err := got.Complete(configs.Frames{Past: tt.past, Current: 5, Future: 5})
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("completed twice: %+v, %v, want %+v", again, err, got)
		}
	}
	if _, err := (Protocol{Name: "best", Task: "predict"}).Complete(configs.Frames{}); err == nil || !strings.Contains(err.Error(), "bair, cityscapes, clean") {
		t.Errorf("an unknown protocol: %v", err)
	}
}

// Every rule that a protocol names is one that there is.
func TestProtocolsHaveRules(t *testing.T) {
	for name, p := range protocols {
		if !slices.Contains([]string{"fixed", "spread"}, p.Order) || !slices.Contains([]string{"nearest", "floor"}, p.Pixels) ||
			!slices.Contains([]string{"one", "each"}, p.Best) || !slices.Contains([]metric.Interval{metric.Normal, metric.Bootstrap}, p.Interval) || p.doc == "" {
			t.Errorf("%s: %+v", name, p)
		}
		if err := metric.Check(ProtocolMetrics(name)); err != nil || (len(ProtocolMetrics(name)) == 0) != (name == DefaultProtocol) {
			t.Errorf("%s: metrics %v, %v", name, ProtocolMetrics(name), err)
		}
	}
}

// quantized is a number as a metric sees it.
func quantized(r Rules, name string, x float32) uint8 {
	return quantizers[r.look(metric.Opened{Info: metric.Info{Name: name}}).pixels](x)
}

func TestQuantizers(t *testing.T) {
	for name, want := range map[string][2]uint8{ // of psnr and of ssim, for 0.1 in [-1, 1], 140.25 of 255
		"clean": {140, 140}, "bair": {140, 140}, "smmnist": {140, 255},
	} {
		r := protocols[name].Rules
		if got := [2]uint8{quantized(r, "psnr", 0.1), quantized(r, "ssim", 0.1)}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	// 140.75 of 255 rounds up, and is cut off by the published rule.
	x := float32(140.75/127.5 - 1)
	if a, b := quantized(clean, "psnr", x), quantized(published, "psnr", x); a != 141 || b != 140 {
		t.Errorf("%d and %d, want 141 and 140", a, b)
	}
	if blackOrWhite(0) != 0 || blackOrWhite(1e-6) != 255 || blackOrWhite(-1) != 0 {
		t.Error("half is not rounded to black")
	}
}

// One trajectory for all metrics is not the best in each.
func TestTheBestTrajectory(t *testing.T) {
	record := func(clip, trajectory int, a, b float64) Record {
		return Record{Clip: clip, Video: "v", Trajectory: trajectory, Method: modelMethod,
			Scores: map[string]metric.Score{"a": {Value: a}, "b": {Value: b}, "none": {Skipped: "dark"}}}
	}
	records := []Record{record(0, 0, 1, 5), record(0, 1, 2, 4), record(1, 0, 8, 1), record(1, 1, 7, 9)}
	h := Header{Metrics: []metric.Info{{Name: "none", HigherIsBetter: true}, {Name: "a", HigherIsBetter: true}, {Name: "b", HigherIsBetter: true}}}
	for name, want := range map[string][2]float64{"clean": {5, 2.5}, "bair": {5, 7}} {
		h.Protocol = Protocol{Name: name, Rules: protocols[name].Rules}
		scores := NewReport(h, slices.Clone(records), nil).Results[0].Scores
		if got := [2]float64{scores["a"].Best.Mean, scores["b"].Best.Mean}; got != want {
			t.Errorf("%s: best %v, want %v", name, got, want)
		}
		if scores["a"].Mean.Mean != 4.5 || scores["b"].Mean.Mean != 4.75 || scores["none"].Skipped != "dark" {
			t.Errorf("%s: means %+v", name, scores)
		}
	}
}

// whole is a metric of sets that says how many frames it sees.
type whole struct{}

func (whole) Features(list []clips.Clip) ([][]float32, error) {
	rows := make([][]float32, len(list))
	for i, c := range list {
		rows[i] = []float32{float32(c.Frames)}
	}
	return rows, nil
}

// A metric of whole videos sees the frames that were given, too.
func TestMetricsOfWholeVideos(t *testing.T) {
	longest := func(real, made [][]float32) (float64, error) {
		if !reflect.DeepEqual(real[0], made[0]) {
			return 0, fmt.Errorf("%v real frames, %v made ones", real[0], made[0])
		}
		return float64(made[0][0]), nil
	}
	for task, want := range map[string]float64{"predict": 2 + 3, "interpolate": 2 + 3 + 2, "generate": 3} {
		m := []metric.Opened{
			{Info: metric.Info{Name: "whole", Whole: true}, Sets: whole{}, Compare: longest},
			{Info: metric.Info{Name: "part"}, Sets: whole{}, Compare: longest},
		}
		r, _, err := evaluated(t, Protocol{Name: "clean", Task: task, Clips: 2, Trajectories: 1, Frames: 3, Advance: 3, Seed: 1}, m)
		if err != nil {
			t.Fatal(err)
		}
		scores := r.Results[0].Scores
		if scores["whole"].Set.Value != want || scores["part"].Set.Value != 3 {
			t.Errorf("%s: %g frames of whole videos, %g generated ones, want %g and 3", task, scores["whole"].Set.Value, scores["part"].Set.Value, want)
		}
	}
}
