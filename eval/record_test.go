package eval

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/data/clips"
	"mcvd/eval/metric"
	"mcvd/models/backend/backendtest"
)

// evaluated is an evaluation of the counting network.
func evaluated(t *testing.T, p Protocol, metrics []metric.Opened) (*Report, []*Part, error) {
	t.Helper()
	m := counting(t)
	g, err := NewGenerator(backendtest.Open(t), model.NewStore(), m, config().Sampler, 1, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	return evaluate(g, rampSet{3}, p, metrics)
}

// The report is what its header, the records and the values of the sets say, also after they went
// through JSON and in another order.
func TestTheReportIsAFunctionOfTheRecords(t *testing.T) {
	p := Protocol{Name: "clean", Task: "interpolate", Clips: 5, Trajectories: 2, Frames: 4, Advance: 3, Seed: 1}
	want, parts, err := evaluated(t, p, allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	var records []Record
	seen := map[string]int{}
	for _, part := range parts {
		for _, whole := range part.Records {
			line, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			var r Record
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			if r.Task != "interpolate" || r.Video == "" || len(r.Scores) != 2 || len(r.Scores["psnr"].Frames) != 4 || r.Scores["ssim"].Skipped == "" {
				t.Errorf("record %s", line)
			}
			seen[r.Method]++
			records = append(records, r)
		}
	}
	if want := map[string]int{"model": 10, "copy last": 5, "linear blend": 5}; !reflect.DeepEqual(seen, want) {
		t.Errorf("records %v, want %v", seen, want)
	}
	var sets []SetValue
	for _, r := range want.Results {
		s := r.Scores["mmd"].Set
		sets = append(sets, SetValue{Method: r.Method, Metric: "mmd", Value: s.Value, Real: s.Real, Made: s.Made})
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(records), func(i, k int) { records[i], records[k] = records[k], records[i] })
	if got := NewReport(want.Header, records, sets); !reflect.DeepEqual(got, want) {
		t.Errorf("from the records:\n%+v\nwant\n%+v", got.Results, want.Results)
	}
}

// Videos that a metric skips do not count, and the report says how many they are and why.
func TestSomeVideosAreSkipped(t *testing.T) {
	record := func(clip, trajectory int, s metric.Score) Record {
		return Record{Clip: clip, Trajectory: trajectory, Method: modelMethod, Scores: map[string]metric.Score{"x": s}}
	}
	h := Header{Protocol: Protocol{Rules: clean}, Metrics: []metric.Info{{Name: "x"}}} // lower is better
	skipped := metric.Score{Skipped: "dark"}
	got := NewReport(h, []Record{
		record(0, 0, metric.Score{Value: 4, Frames: []float64{3, 5}}), record(0, 1, metric.Score{Value: 2, Frames: []float64{1, 3}}),
		record(1, 0, skipped), record(1, 1, metric.Score{Value: 7, Frames: []float64{6, 8}}),
		record(2, 0, skipped), record(2, 1, skipped),
	}, nil).Results[0].Scores["x"]
	if got.Skipped != "dark" || got.SkippedVideos != 3 || got.Best.N != 2 || got.Best.Mean != 4.5 || got.Mean.Mean != 5 {
		t.Errorf("score %+v, want best 4.5 and mean 5 of 2 clips, and 3 videos skipped", got)
	}
	if want := []float64{3.5, 5.5}; !reflect.DeepEqual(got.BestByFrame, want) {
		t.Errorf("best by frame %v, want %v", got.BestByFrame, want)
	}
	all := NewReport(h, []Record{record(0, 0, skipped)}, nil).Results[0].Scores["x"]
	if all.Skipped != "dark" || all.SkippedVideos != 0 || all.Best.N != 0 {
		t.Errorf("score %+v, want nothing but why", all)
	}
	if text, err := json.Marshal(all); err != nil || string(text) != `{"skipped":"dark"}` {
		t.Errorf("as JSON %s, %v", text, err)
	}
}

// brightness is a metric of sets: the difference of the mean levels.
type brightness struct{}

func (brightness) Features(list []clips.Clip) ([][]float32, error) {
	rows := make([][]float32, len(list))
	for i, c := range list {
		sum := 0
		for _, v := range c.Pix {
			sum += int(v)
		}
		rows[i] = []float32{float32(sum) / float32(len(c.Pix))}
	}
	return rows, nil
}

func brighter(real, made [][]float32) (float64, error) {
	mean := func(rows [][]float32) (m float64) {
		for _, r := range rows {
			m += float64(r[0]) / float64(len(rows))
		}
		return m
	}
	return mean(made) - mean(real), nil
}

// Metrics of sets see all trajectories of a method and the real frames, also those of generated
// videos.
func TestMetricsOfSetsReachEveryTask(t *testing.T) {
	for _, tt := range []struct {
		task     string
		method   string
		at, made int
		want     float64
	}{
		// Real frames are 106, 109, 112 behind the past 100, 103; the network goes on by 1 from
		// 103.
		{"predict", "model", 0, 6, 105 - 109},
		{"predict", "copy last", 1, 3, 103 - 109},
		// A window that sees nothing makes 0.5 = 191.25; the real frames of a clip without a past
		// are 100, 103, 106.
		{"generate", "model", 0, 6, 191 - 103},
	} {
		metrics := []metric.Opened{{Info: metric.Info{Name: "brightness"}, Sets: brightness{}, Compare: brighter}, allMetrics(t)[0]}
		r, _, err := evaluated(t, Protocol{Name: "clean", Task: tt.task, Clips: 3, Trajectories: 2, Frames: 3, Advance: 3, Seed: 1}, metrics)
		if err != nil {
			t.Fatal(err)
		}
		got := r.Results[tt.at]
		if s := got.Scores["brightness"].Set; got.Method != tt.method || s == nil || s.Value != tt.want || s.Real != 3 || s.Made != tt.made {
			t.Errorf("%s, %s: %+v, want %g of 3 real and %d generated clips", tt.task, got.Method, s, tt.want, tt.made)
		}
		if skipped := strings.Contains(got.Scores["psnr"].Skipped, "does not have"); skipped != (tt.task == "generate") {
			t.Errorf("%s: psnr %+v", tt.task, got.Scores["psnr"])
		}
	}
}

// A metric that breaks ends the evaluation with its name.
func TestAnEvaluationThatFails(t *testing.T) {
	p := Protocol{Name: "clean", Task: "predict", Clips: 1, Trajectories: 1, Frames: 3, Advance: 3, Seed: 1}
	nan := metric.Opened{Info: metric.Info{Name: "nan"}, Pairs: broken{}}
	if _, _, err := evaluated(t, p, []metric.Opened{nan}); err == nil || err.Error() != "metric nan: clip 0: a score of NaN, want a number, or that it is skipped" {
		t.Errorf("error %v", err)
	}
	p.Task = "generate"
	skipped := metric.Opened{Info: metric.Info{Name: "fvd"}, Skipped: "no weights"}
	r, _, err := evaluated(t, p, []metric.Opened{skipped})
	if err != nil || r.Results[0].Scores["fvd"].Skipped != "no weights" {
		t.Errorf("a metric without weights: %+v, %v, want it skipped", r, err)
	}
}

// broken scores nothing but NaN.
type broken struct{}

func (broken) Score(real, _ []clips.Clip) ([]metric.Score, error) {
	scores := make([]metric.Score, len(real))
	for i := range scores {
		scores[i].Value /= scores[i].Value
	}
	return scores, nil
}
