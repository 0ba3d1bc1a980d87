package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/eval/metric"
)

// psnr of clip i, trajectory k, is a function with no equal values.
func psnrOf(clip, trajectory int) float64 {
	return 20 + 5*math.Sin(float64(3*clip)) + 0.25*float64(trajectory)
}

// aReport is one of so many clips with two trajectories of frames each, and a baseline that is worse
// by 3 dB. change, if not nil, changes its header before it is summed up.
func aReport(t testing.TB, n, frames int, change func(h *eval.Header)) *eval.Report {
	t.Helper()
	h := eval.Header{
		Protocol: eval.Protocol{Name: "clean", Task: "predict", Clips: n, Trajectories: 2, Frames: frames, Advance: frames, Windows: "autoregressive", Split: "test", Seed: 7,
			Rules: eval.Rules{Order: "fixed", Pixels: "nearest", Best: "one", Interval: metric.Bootstrap}},
		Metrics: []metric.Info{{Name: "psnr", Unit: "dB", HigherIsBetter: true, Digits: 2}, {Name: "ssim", HigherIsBetter: true, Digits: 4}, {Name: "mmd", Digits: 4}},
		Run:     "runs/a", Checkpoint: "runs/a/checkpoints/step-00000040.safetensors", CheckpointSHA256: "abc123", Step: 40, Dataset: "digits", Past: 2, Videos: n,
		Sampler: configs.Sampler{Name: "ddim", Steps: 4, Spacing: "uniform", Precision: "float32"}, Backend: "go", NFE: 12, NFEPerFrame: 4, SecondsPerClip: 0.5, SecondsPerFrame: 0.5 / 3, Config: map[string]string{"data.size": "64"},
	}
	var records []eval.Record
	for clip := range n {
		for k := range 3 {
			score, method := metric.Score{Value: psnrOf(clip, k)}, "model"
			if k == 2 {
				score.Value, method = psnrOf(clip, 0)-3, "copy last"
			}
			for f := range frames {
				score.Frames = append(score.Frames, score.Value-float64(f)+float64(frames-1)/2)
			}
			records = append(records, eval.Record{Task: "predict", Clip: clip, Video: fmt.Sprint("v", clip), Start: clip, Trajectory: k % 2, Method: method,
				Scores: map[string]metric.Score{"psnr": score, "ssim": {Skipped: "frames are too small"}}})
		}
	}
	if change != nil {
		change(&h)
	}
	return eval.NewReport(h, records, []eval.SetValue{{Method: "model", Metric: "mmd", Value: 0.25, Real: n, Made: 2 * n}, {Method: "copy last", Metric: "mmd", Value: 0.5, Real: n, Made: n}})
}

// filmsOf are films of the report's chosen videos, of frames whose pixels count up.
func filmsOf(r *eval.Report) *Films {
	f := &Films{}
	for _, record := range Choose(r) {
		v := eval.Repeated{Record: record, Scores: record.Scores, Made: clips.NewClip(r.Protocol.Frames, 4, 4, 1)}
		v.Case = eval.Case{Clip: record.Clip, Video: record.Video, Start: record.Start, FPS: 10, Past: clips.NewClip(2, 4, 4, 1), Real: clips.NewClip(r.Protocol.Frames, 4, 4, 1)}
		for i := range v.Made.Pix {
			v.Made.Pix[i], v.Case.Real.Pix[i] = uint8(200+i/16), uint8(100+i/16)
		}
		f.Videos = append(f.Videos, v)
	}
	return f
}

// built is the page, its message as the script reads it, and what is before the script.
func built(t testing.TB, r *eval.Report, films *Films) (text string, m map[string]any) {
	t.Helper()
	text, err := build(r, films)
	if err != nil {
		t.Fatal(err)
	}
	_, data, _ := strings.Cut(text, `id="data">`)
	data, _, _ = strings.Cut(data, "</script>")
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		t.Fatalf("%v in %.2000s", err, data)
	}
	return text, m
}

func TestThePageHasTheNumbers(t *testing.T) {
	r := aReport(t, 24, 3, nil)
	text, _ := built(t, r, nil)
	flat := strings.Join(strings.Fields(strings.ReplaceAll(text, "<", " <")), " ")
	s := r.Results[0].Scores["psnr"]
	for _, want := range []string{
		"<h1>predict: runs/a", "step 40, protocol clean: 24 clips of 3 frames, 2 videos of each",
		"model, best of 2", "model, mean of 2", "copy last",
		fmt.Sprintf(`<td class="top">%.2f <small>%.2f to %.2f`, s.Mean.Mean, s.Mean.Low, s.Mean.High),
		fmt.Sprintf(`<td>%.2f <small>%.2f to %.2f`, s.Best.Mean, s.Best.Low, s.Best.High),
		`<td class="top">0.2500 </td>`, `<td>0.5000 </td>`, "<td>–", "higher is better", "lower is better",
		"mmd compares sets of 24 real and 48 generated clips", "ssim was skipped: frames are too small",
		"abc123", "ddim, 4 steps", "12 a video", "4 a frame", "0.5 s a video", "0.167 a frame", "by bootstrap over videos", `data.size </th> <td>64`,
		"mcvd eval report REPORT.json --run runs/a -o PAGE.html",
	} {
		if !strings.Contains(flat, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "can't be compared with those published") {
		t.Error("there are deviations where there are none")
	}
	text, _ = built(t, aReport(t, 3, 3, func(h *eval.Header) { h.Protocol.Deviations = []string{"3 clips, published: 256"} }), nil)
	if !strings.Contains(text, "3 clips, published: 256") {
		t.Error("the deviations are missing")
	}
}

// Several seeds have rows of their own below the model, and a deviation.
func TestSeeds(t *testing.T) {
	r := aReport(t, 4, 3, func(h *eval.Header) { h.Protocol.Seeds = []uint64{1, 2} })
	var records []eval.Record
	for _, record := range r.Records {
		if record.Method != "model" {
			records = append(records, record)
			continue
		}
		for seed := range 2 {
			record.Seed = uint64(1 + seed)
			s := record.Scores["psnr"]
			record.Scores = map[string]metric.Score{"psnr": {Value: s.Value + 2*float64(seed)}}
			records = append(records, record)
		}
	}
	r = eval.NewReport(r.Header, records, nil)
	text, _ := built(t, r, nil)
	flat := strings.Join(strings.Fields(strings.ReplaceAll(text, "<", " <")), " ")
	for _, want := range []string{"2 videos of each and seed, 2 seeds", "seed 1, best of 2", "seed 2, mean of 2",
		"standard deviation over seeds, mean of 2 </th> <td>1.41 </td>", "1, 2 <span class=\"note\">of the noise; 7 of the clips"} {
		if !strings.Contains(flat, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(flat, `<tr class="part">`); n != 6 {
		t.Errorf("%d rows of seeds, want two of each and two of the deviation", n)
	}
	if first := Choose(r)[0]; first.Seed != 2 || first.Trajectory != 1 {
		t.Errorf("the best video is of seed %d, trajectory %d, want 2, 1", first.Seed, first.Trajectory)
	}
}

// Every clip is in one bin of each method, and every value in a bin that holds it.
func TestHistograms(t *testing.T) {
	r := aReport(t, 2, 3, nil)
	rapid.Check(t, func(t *rapid.T) {
		values := func(name string) []float64 {
			return rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-50, 50), rapid.Just(7.5)), 1, 300).Draw(t, name)
		}
		a, b := values("a"), values("b")
		h := histogramOf(r, [][]float64{a, b})
		if bins := len(h.Edges) - 1; bins < fewBins || bins > manyBins || !slices.IsSorted(h.Edges) || h.Edges[0] == h.Edges[1] {
			t.Fatalf("edges %v", h.Edges)
		}
		for k, of := range [][]float64{a, b} {
			below := 0
			for i, n := range h.Bars[k].Counts {
				below += n
				edge := float64(h.Edges[i+1])
				count := 0
				for _, x := range of {
					if x < edge-1e-9 || i == len(h.Edges)-2 {
						count++
					}
				}
				slack := 0 // of values on the edge, which rounding may put to either side
				for _, x := range of {
					if math.Abs(x-edge) <= 1e-9 {
						slack++
					}
				}
				if below < count || below > count+slack {
					t.Fatalf("%d values below %g, want %d", below, edge, count)
				}
			}
			if below != len(of) {
				t.Fatalf("%d values in bins, want %d", below, len(of))
			}
		}
	})
	if h := histogramOf(r, [][]float64{{math.NaN()}, nil}); h != nil {
		t.Errorf("a histogram of nothing: %+v", h)
	}
	if h := histogramOf(r, [][]float64{{math.Inf(1), 1, math.NaN()}, {1}}); h.Bars[0].Counts == nil {
		t.Error("no histogram beside a value that is not finite")
	}
}

// A curve is the mean over clips and trajectories, frame by frame, inside its interval.
func TestCurves(t *testing.T) {
	r := aReport(t, 24, 4, nil)
	charts := chartsOf(r)
	if len(charts) != 1 || len(charts[0].Curves) != 3 {
		t.Fatalf("charts %+v, want one of PSNR with three curves", charts)
	}
	mean := charts[0].Curves[1]
	for f, want := range r.Results[0].Scores["psnr"].MeanByFrame {
		if got := float64(mean.Value[f]); !(math.Abs(got-want) <= 1e-9) || !(float64(mean.Low[f]) < got && got < float64(mean.High[f])) {
			t.Errorf("frame %d: %g in %g to %g, want %g inside", f, got, mean.Low[f], mean.High[f], want)
		}
	}
	best := charts[0].Curves[0]
	if !best.Dash || !(float64(best.Value[0]) > float64(mean.Value[0])) {
		t.Errorf("the best of 2 is %+v, want more than the mean %+v", best, mean)
	}
	if single := chartsOf(aReport(t, 24, 1, nil)); len(single[0].Curves) > 0 || single[0].Histogram == nil {
		t.Error("a curve of a single frame, or no histogram of it")
	}
}

// What was extrapolated is drawn by the number of clips, with the value at infinity.
func TestSizes(t *testing.T) {
	r := aReport(t, 24, 3, func(h *eval.Header) { h.Metrics = h.Metrics[2:] })
	if charts := chartsOf(r); len(charts) > 0 {
		t.Errorf("charts %+v of a value that was not extrapolated", charts)
	}
	score := r.Results[0].Scores["mmd"]
	score.Set.Extrapolation = &metric.Extrapolation{Points: []metric.Point{{Real: 12, Made: 24, Value: 0.5}, {Real: 24, Made: 48, Value: 0.375}}, Infinity: 0.25}
	charts := chartsOf(r)
	if len(charts) != 1 || charts[0].Histogram != nil || len(charts[0].Sizes) != 2 {
		t.Fatalf("charts %+v, want one of two sizes", charts)
	}
	by, end := charts[0].Sizes[0], charts[0].Sizes[1]
	if !slices.Equal(by.Step, []int{12, 24}) || by.Value[1] != 0.375 || !slices.Equal(end.Step, by.Step) || end.Value[0] != 0.25 || end.Value[1] != 0.25 {
		t.Errorf("curves %+v and %+v", by, end)
	}
	if text, _ := built(t, r, nil); !strings.Contains(text, "mmd extrapolated to infinitely many clips: 0.2500") {
		t.Error("the page doesn't say what was extrapolated")
	}
}

func TestTheBestMedianAndWorstClipAreChosen(t *testing.T) {
	r := aReport(t, 25, 3, nil)
	var order []int
	for clip := range 25 {
		order = append(order, clip)
	}
	slices.SortFunc(order, func(a, b int) int { // the best first
		if psnrOf(a, 0) > psnrOf(b, 0) {
			return -1
		}
		return 1
	})
	var got []string
	for _, record := range Choose(r) {
		got = append(got, fmt.Sprint(record.Clip, "/", record.Trajectory))
	}
	var want []string
	for _, clip := range []int{order[0], order[12], order[24]} {
		want = append(want, fmt.Sprint(clip, "/1"), fmt.Sprint(clip, "/0")) // the second trajectory is better
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v are chosen, want %v", got, want)
	}
	for clips, want := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3} {
		if got := choose(aReport(t, clips, 3, nil)); len(got) != want {
			t.Errorf("of %d clips, %d are chosen, want %d", clips, len(got), want)
		}
	}
	lower := aReport(t, 25, 3, func(h *eval.Header) { h.Metrics[0].HigherIsBetter = false })
	if first := Choose(lower)[0]; first.Clip != order[24] || first.Trajectory != 0 {
		t.Errorf("where less is better, clip %d, trajectory %d is the best, want %d, 0", first.Clip, first.Trajectory, order[24])
	}
}

// Films are in the page as the pictures that they are, and a video that came out differently says so.
func TestFilms(t *testing.T) {
	r := aReport(t, 5, 3, nil)
	films := filmsOf(r)
	films.Videos[1].Scores = map[string]metric.Score{"psnr": {Value: 1.5}}
	films.Videos[2].Scores = nil // the metric has no weights here
	_, m := built(t, r, films)
	p := m["films"].(map[string]any)
	if p["past"] != 2.0 || p["made"] != 3.0 || p["future"] != 0.0 || p["width"] != 4.0 || len(p["clips"].([]any)) != 3 {
		t.Errorf("films %v", p)
	}
	if _, err := build(r, &Films{Videos: films.Videos[1:]}); err == nil || !strings.Contains(err.Error(), "5 videos, want the 6 that are chosen") {
		t.Errorf("a film is missing: error %v", err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("data:image/png;base64,")); n != 9 {
		t.Errorf("%d pictures, want a real and two generated films of three clips", n)
	}
	if n := bytes.Count(text, []byte("This is not exactly the video that was scored: generated again, its psnr is 1.50.")); n != 1 {
		t.Errorf("%d films say that they differ, want one", n)
	}
	if n := bytes.Count(text, []byte("whether it has its score is not known, because psnr can't be computed here")); n != 1 {
		t.Errorf("%d films say that nothing is known of their scores, want one", n)
	}
}

// A long film is cut, and the page says so.
func TestLongFilmsAreCut(t *testing.T) {
	const frames = maxWidth/4 + 10
	r := aReport(t, 1, frames, nil)
	text, m := built(t, r, filmsOf(r))
	if p := m["films"].(map[string]any); p["made"] != float64(maxWidth/4-2) {
		t.Errorf("%v frames are shown, want %d", p["made"], maxWidth/4-2)
	}
	if want := fmt.Sprintf("Only the first %d of %d generated frames are shown.", maxWidth/4-2, frames); !strings.Contains(text, want) {
		t.Errorf("the page doesn't say %q", want)
	}
}

// A film that would be large as it is becomes a JPEG, and the page says so.
func TestLargeFilmsAreCompressed(t *testing.T) {
	r := aReport(t, 1, 3, nil)
	films := filmsOf(r)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range films.Videos {
		v := &films.Videos[i]
		v.Made, v.Case.Real, v.Case.Past = clips.NewClip(3, 256, 256, 3), clips.NewClip(3, 256, 256, 3), clips.NewClip(2, 256, 256, 3)
		for k := range v.Made.Pix { // noise, which no PNG makes small; the real one is black
			v.Made.Pix[k] = uint8(rng.Uint32())
		}
	}
	text, _ := built(t, r, films)
	if png, jpeg := strings.Count(text, "data:image/png"), strings.Count(text, "data:image/jpeg"); png != 1 || jpeg != 2 {
		t.Errorf("%d PNGs and %d JPEGs, want 1 and 2", png, jpeg)
	}
	if !strings.Contains(text, "Films are compressed as JPEG") {
		t.Error("the page doesn't say that pixels are not exact")
	}
}

// Videos of the task generate are beside their nearest training clips, and the page says how far it
// looked.
func TestSamplesAreBesideTheirNearestClips(t *testing.T) {
	r := aReport(t, 6, 3, func(h *eval.Header) {
		h.Protocol.Task, h.Past, h.Metrics = "generate", 0, h.Metrics[1:]
	})
	films := filmsOf(r)
	if len(films.Videos) != samples {
		t.Fatalf("%d samples, want %d", len(films.Videos), samples)
	}
	for i := range 2 * samples {
		films.Nearest = append(films.Nearest, eval.Neighbour{Video: fmt.Sprint("train/", i), Start: i, Clip: clips.NewClip(3, 4, 4, 1), RMS: float64(10 + i)})
	}
	films.Search = eval.Search{Looked: 40}
	text, m := built(t, r, films)
	data, err := json.Marshal(m["films"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"13.0 grey levels away"`, `"train/3, from frame 3"`} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("the films lack %s", want)
		}
	}
	if bytes.Contains(data, []byte("train/4")) {
		t.Error("what is nearest to held-out clips is shown as nearest to a sample")
	}
	for _, want := range []string{"of 40 clips of the training split, which has more", "4 held-out clips are 14.0 to 17.0 away from theirs"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// hostile is what names must not be able to do.
const hostile = `</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&{{.Title}}<!-- script -->`

// hostileReport is one whose texts are all hostile.
func hostileReport(t testing.TB) *eval.Report {
	r := aReport(t, 5, 3, func(h *eval.Header) {
		h.Run, h.Checkpoint, h.CheckpointSHA256, h.Dataset, h.Path, h.Backend = hostile, hostile, hostile, hostile, hostile, hostile
		h.Config = map[string]string{hostile: hostile}
		h.Protocol.Name, h.Protocol.Task, h.Protocol.Windows, h.Protocol.Split, h.Protocol.Deviations = hostile, hostile, hostile, hostile, []string{hostile}
		h.Protocol.Rules.Order, h.Protocol.Rules.Pixels, h.Metrics[0].Unit = hostile, hostile, hostile
		h.Sampler = configs.Sampler{Name: hostile, Spacing: hostile, Options: configs.Options{hostile: hostile}}
	})
	for i := range r.Records {
		r.Records[i].Video = hostile
		if r.Records[i].Method != "model" {
			r.Records[i].Method = hostile
		}
	}
	r.Results[1].Method = hostile
	return r
}

func TestHostileTextIsText(t *testing.T) {
	r := hostileReport(t)
	text, _ := built(t, r, filmsOf(r))
	if n := strings.Count(text, "<script"); n != 2 {
		t.Errorf("%d scripts, want the data and the page's", n)
	}
	for _, bad := range []string{"<img src=x", "<script>alert", hostile} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in the page as it is", bad)
		}
	}
	for _, from := range []string{`src="`, `href="page`, `url(`, `@import`, `style="`} {
		if at := strings.Index(text, from); at >= 0 {
			t.Errorf("the file needs others, or has styles of its own: %q", text[at:min(at+60, len(text))])
		}
	}
}

// A command that people copy does nothing but what it says.
func TestTheCommandIsSafeToCopy(t *testing.T) {
	for run, want := range map[string]string{"runs/a-1.b_c": "runs/a-1.b_c", "/data/runs/a": "/data/runs/a", "": "RUN", "a; rm -r b": "RUN", "$(x)": "RUN", "-o": "RUN",
		"a\nb": "RUN", "a b": "RUN", "`x`": "RUN", "~x": "RUN"} {
		if got := argument(run); got != want {
			t.Errorf("%q becomes %q, want %q", run, got, want)
		}
	}
}
