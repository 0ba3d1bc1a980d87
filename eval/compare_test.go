package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mcvd/eval/metric"
)

// scored is a report of clips with given scores, two clips a video.
func scored(t *testing.T, scores []float64, change func(h *Header, records []Record)) *Report {
	t.Helper()
	h := Header{
		Protocol: Protocol{Name: "clean", Task: "predict", Clips: len(scores), Trajectories: 1, Frames: 3, Split: "test", Rules: clean},
		Metrics:  []metric.Info{{Name: "psnr", Unit: "dB", HigherIsBetter: true, Digits: 2}}, Dataset: "d",
	}
	var records []Record
	for i, v := range scores {
		records = append(records, Record{Clip: i, Video: fmt.Sprint(i / 2), Start: i, Method: modelMethod, Scores: map[string]metric.Score{"psnr": {Value: v}}})
	}
	if change != nil {
		change(&h, records)
	}
	path := filepath.Join(t.TempDir(), "report.json")
	text, err := json.Marshal(NewReport(h, records, nil))
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(r); err != nil || string(again) != string(text) {
		t.Errorf("read and written again:\n%s\n%v, want\n%s", again, err, text)
	}
	return r
}

// A difference that all clips share is certain, however far clips are from each other.
func TestDifferencesArePaired(t *testing.T) {
	var a, better, same []float64
	for i := range 24 {
		x := 20 + 10*math.Sin(float64(i))
		a, better = append(a, x), append(better, x+0.5+0.1*math.Cos(float64(5*i)))
		same = append(same, x+math.Cos(float64(3*(i/2)))*0.5)
	}
	c, err := Compare([]string{"a", "better", "same"}, []*Report{scored(t, a, nil), scored(t, better, nil), scored(t, same, nil)}, false)
	if err != nil {
		t.Fatal(err)
	}
	d := c.Difference(1, c.metrics[0])
	if !(math.Abs(d.Mean-0.5) <= 0.05 && d.Low > 0.4 && d.High < 0.6 && d.P < 0.002) || d.N != 24 {
		t.Errorf("better by 0.5 everywhere: %+v", d)
	}
	if d := c.Difference(2, c.metrics[0]); !(d.Low < 0 && d.High > 0 && d.P > 0.2) {
		t.Errorf("here better, there worse: %+v", d)
	}
	var text strings.Builder
	if err := c.WriteText(&text); err != nil || !strings.Contains(text.String(), "+0.5") || !strings.Contains(text.String(), "better") {
		t.Errorf("%v\n%s", err, &text)
	}
}

// With n videos of equal differences, one sign in 2^(n-1) choices of signs is as far from 0.
func TestTheSignTest(t *testing.T) {
	for n, want := range map[int]float64{1: 1, 2: 0.5, 4: 0.125, 6: 1.0 / 32, 13: 1.0 / 4096} {
		var values []float64
		var videos []string
		for i := range 3 * n { // three clips of each
			values, videos = append(values, -2), append(videos, fmt.Sprint(i%n))
		}
		if got := signTest(values, videos); !(math.Abs(got-want) <= 1e-12) {
			t.Errorf("%d videos: p = %g, want %g", n, got, want)
		}
	}
	if got := signTest(nil, nil); !math.IsNaN(got) {
		t.Errorf("of nothing: p = %g", got)
	}
}

// Numbers that don't mean the same are not put side by side, unless that is wanted.
func TestWhatCanNotBeCompared(t *testing.T) {
	a := scored(t, []float64{1, 2, 3}, nil)
	for want, change := range map[string]func(h *Header, records []Record){
		"protocol.trajectories: 1 and 10":         func(h *Header, _ []Record) { h.Protocol.Trajectories = 10 },
		"protocol.name: clean and bair":           func(h *Header, _ []Record) { h.Protocol.Name = "bair" },
		"protocol.frames: 3 and 28":               func(h *Header, _ []Record) { h.Protocol.Frames = 28 },
		"past: 0 and 2":                           func(h *Header, _ []Record) { h.Past = 2 },
		"protocol.split: test and valid":          func(h *Header, _ []Record) { h.Protocol.Split = "valid" },
		"the clips: of other videos":              func(_ *Header, records []Record) { records[1].Start = 7 },
		"protocol.rules.interval: bootstrap and ": func(h *Header, _ []Record) { h.Protocol.Rules.Interval = metric.Normal },
	} {
		pair := []*Report{a, scored(t, []float64{1, 2, 3}, change)}
		if _, err := Compare([]string{"a", "b"}, pair, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		c, err := Compare([]string{"a", "b"}, pair, true)
		if err != nil {
			t.Fatalf("mixed: %v", err)
		}
		var text strings.Builder
		if err := c.WriteText(&text); err != nil || !strings.Contains(text.String(), "MIXED: a and b differ") || !strings.Contains(text.String(), want) {
			t.Errorf("mixed: error %v, want %q in\n%s", err, want, &text)
		}
	}
	moved := scored(t, []float64{9, 9, 9}, func(_ *Header, records []Record) { records[1].Start = 7 })
	c, err := Compare([]string{"a", "b"}, []*Report{a, moved}, true)
	if d := c.Difference(1, c.metrics[0]); err != nil || d.N != 2 {
		t.Errorf("%d clips are paired, %v, want those that are the same", d.N, err)
	}
	apart := scored(t, []float64{9, 9, 9}, func(_ *Header, records []Record) {
		for i := range records {
			records[i].Start += 7
		}
	})
	if c, err = Compare([]string{"a", "b"}, []*Report{a, apart}, true); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := c.WriteText(&text); err != nil || !strings.Contains(text.String(), "no clip in common") {
		t.Errorf("error %v, no word of clips in\n%s", err, &text)
	}
	allowed := scored(t, []float64{1, 2, 3}, func(h *Header, _ []Record) {
		h.Sampler.Name, h.Sampler.Steps, h.NFE = "heun", 7, 13
		h.Checkpoint, h.Step, h.Backend = "weights", 9, "go"
	})
	if c, err = Compare([]string{"a", "b"}, []*Report{a, allowed}, false); err != nil {
		t.Fatalf("another sampler: %v", err)
	}
	text.Reset()
	want := "b: weights (step 9), heun with 7 steps, 13 network evaluations a video, backend go\n"
	if err := c.WriteText(&text); err != nil || !strings.Contains(text.String(), want) {
		t.Errorf("error %v, want what made the videos, %q, in\n%s", err, want, &text)
	}
	other := scored(t, []float64{1, 2, 3}, func(h *Header, _ []Record) { h.Metrics = []metric.Info{{Name: "ssim"}} })
	if _, err := Compare([]string{"a", "b"}, []*Report{a, other}, false); err == nil || !strings.Contains(err.Error(), "no metric in common") {
		t.Errorf("other metrics: %v", err)
	}
}

// Two folders whose files have the same names may hold other videos.
func TestClipsOfOtherPixelsAreOthers(t *testing.T) {
	other := scored(t, []float64{1, 2, 3}, func(_ *Header, records []Record) { records[2].Frames = 7 })
	_, err := Compare([]string{"a", "b"}, []*Report{scored(t, []float64{1, 2, 3}, nil), other}, false)
	if err == nil || !strings.Contains(err.Error(), "with other pixels") {
		t.Errorf("error %v, want a refusal", err)
	}
}

func TestReportsThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "other": `{"a": 1}`, "list": "[1]", "cut": `{"records": [{"clip"`} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if r, err := ReadReport(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	// Reports that somebody edited.
	text, err := json.Marshal(scored(t, []float64{1, 2}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for edit, want := range map[string]string{
		`"results":>"resultz":`:                    "with its results and records",
		`"method":"model">"method":"modem"`:        "with its results and records",
		`"digits":2>"digits":2000000000`:           "metric psnr: digits: 2000000000, want 0 to 17",
		`"digits":2>"digits":-1`:                   "metric psnr: digits: -1",
		`"interval":"bootstrap">"interval":"wide"`: `protocol.rules.interval: "wide", want normal or bootstrap`,
	} {
		from, to, _ := strings.Cut(edit, ">")
		edited := strings.ReplaceAll(string(text), from, to)
		path := filepath.Join(dir, "edited")
		if err := os.WriteFile(path, []byte(edited), 0o644); err != nil || edited == string(text) {
			t.Fatal(edit, err)
		}
		if _, err := ReadReport(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", edit, err, want)
		}
	}
	if _, err := ReadReport(dir); err == nil {
		t.Error("a folder is read")
	}
	if s := new(metric.Summary); json.Unmarshal([]byte(`{"mean":2,"low":null,"high":null,"n":1}`), s) != nil || !math.IsNaN(s.Low) || !reflect.DeepEqual(s.N, 1) {
		t.Errorf("summary %+v", s)
	}
}
