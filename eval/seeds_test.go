package eval

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mcvd/eval/metric"
	"mcvd/models/backend/backendtest"
)

// seeded is an evaluation of 5 clips, in parts of 2, with seeds of the noise.
func seeded(t *testing.T, seeds ...uint64) *Evaluation {
	t.Helper()
	b, c := backendtest.Open(t), config()
	m, store := trained(t, b, c)
	g, err := NewGenerator(b, store, m, c.Sampler, 1, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	e, err := NewEvaluation(g, rampSet{3}, Protocol{Name: "clean", Task: "predict", Clips: 5, Trajectories: 2, Frames: 3, Seed: 1, Seeds: seeds}, allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// summed is the report of an evaluation whose parts went through an archive.
func summed(t *testing.T, e *Evaluation) *Report {
	t.Helper()
	a, err := CreateArchive(filepath.Join(t.TempDir(), "records"), e.Header(), e.Parts())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, e, a, e.Parts())
	parts, err := a.Parts()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Sum(a.Header(), parts, metric.Comparisons())
	if err != nil {
		t.Fatal(err)
	}
	r.SecondsPerClip, r.SecondsPerFrame = 0, 0
	return r
}

// Of several seeds a report has what an evaluation of each has alone, of the same clips and next to
// the same baselines. The model's scores are the means over seeds.
func TestSeveralSeeds(t *testing.T) {
	seeds := []uint64{7, 1}
	all := summed(t, seeded(t, seeds...))
	if len(all.Seeds) != 2 {
		t.Fatalf("%d results of seeds, want 2", len(all.Seeds))
	}
	baseline := len(all.Results) - 1
	for i, seed := range seeds {
		alone := summed(t, seeded(t, seed))
		if !reflect.DeepEqual(all.Seeds[i].Scores, alone.Results[0].Scores) || all.Seeds[i].Seed != seed {
			t.Errorf("seed %d: %+v\nwant as alone %+v", seed, all.Seeds[i], alone.Results[0].Scores)
		}
		if alone.Results[0].Scores["psnr"].OverSeeds != nil || len(alone.Seeds) > 0 {
			t.Errorf("seed %d alone: %+v has a deviation over seeds", seed, alone.Results[0].Scores["psnr"])
		}
		if !reflect.DeepEqual(all.Results[baseline], alone.Results[baseline]) || !reflect.DeepEqual(all.places(), alone.places()) {
			t.Errorf("seed %d: other clips or baselines than alone", seed)
		}
	}
	for name, of := range map[string]func(Score) (got float64, over *Deviation){
		"psnr": func(s Score) (float64, *Deviation) { return s.Mean.Mean, s.OverSeeds.Mean },
		"best": func(s Score) (float64, *Deviation) { return s.Best.Mean, s.OverSeeds.Best },
		"mmd":  func(s Score) (float64, *Deviation) { return s.Set.Value, s.OverSeeds.Set },
	} {
		key := strings.Replace(name, "best", "psnr", 1)
		one := func(i int) float64 {
			s := all.Seeds[i].Scores[key]
			s.OverSeeds = &OverSeeds{}
			v, _ := of(s)
			return v
		}
		got, over := of(all.Results[0].Scores[key])
		a, b := one(0), one(1)
		if a == b {
			t.Errorf("%s: %g with both seeds", name, a)
		}
		if want := (a + b) / 2; !(math.Abs(got-want) <= 1e-9*math.Abs(want)) || !(math.Abs(over.Mean-want) <= 1e-9*math.Abs(want)) {
			t.Errorf("%s: %g, over seeds %g, want the mean of %g and %g", name, got, over.Mean, a, b)
		}
		if want := math.Abs(a-b) / math.Sqrt2; !(math.Abs(over.SD-want) <= 1e-9*want) || over.Seeds != 2 {
			t.Errorf("%s: deviation %g of %d seeds, want %g of 2", name, over.SD, over.Seeds, want)
		}
	}
	var text strings.Builder
	if err := all.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"seed 1, of the noise 7 1\n", "seed 7, best of 2", "seed 1, mean of 2", "deviation over seeds, best of 2", "deviation over seeds, mean of 2"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("report\n%s\nwant %q in it", &text, want)
		}
	}
}

// The deviation of 1, 2 and 3 around 2 is 1. Values that are missing don't count.
func TestDeviation(t *testing.T) {
	if d := newDeviation([]float64{1, math.NaN(), 3, 2}); d == nil || *d != (Deviation{2, 1, 3}) {
		t.Errorf("%+v, want 1 around 2", d)
	}
	if d := newDeviation([]float64{1, math.NaN()}); d != nil {
		t.Errorf("%+v of one value", d)
	}
}

// Records of another seed, such as those that were made before records had one, are not summed up.
func TestRecordsOfOtherSeeds(t *testing.T) {
	h := Header{Protocol: Protocol{Name: "clean", Clips: 1, Trajectories: 1, Seed: 3, Rules: clean}, Metrics: []metric.Info{{Name: "psnr"}}}
	dir := filepath.Join(t.TempDir(), "records")
	a, err := CreateArchive(dir, h, []Range{{0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Save(partOf(0, 1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := reportOf(dir); err == nil || !strings.Contains(err.Error(), "a record with seed 0 of the noise, want [3]") {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{"mmd/model", "mmd/model/x", "mmd/copy last/1", "mmd", "mmd/", "mmd/real/0", "mmd/model/007"} {
		if k, _, err := featureKey(name); err == nil {
			t.Errorf("tensor %s is %+v", name, k)
		}
	}
	for _, k := range []FeatureKey{{Metric: "mmd"}, {"mmd", "copy last", 0}, {"mmd", modelMethod, math.MaxUint64}} {
		if got, real, err := featureKey(k.tensor()); got != k || real != (k.Method == "") || err != nil {
			t.Errorf("%+v came back as %+v, %t, %v", k, got, real, err)
		}
	}
}

// The same seed twice would say nothing new.
func TestSeedsAreGivenOnce(t *testing.T) {
	p := Protocol{Name: "clean", Task: "predict", Seeds: []uint64{1, 2, 1}}
	if _, err := p.Complete(config().Frames); err == nil || !strings.Contains(err.Error(), "noise_seeds: 1 is there twice") {
		t.Errorf("error %v", err)
	}
}
