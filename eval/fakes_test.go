package eval

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval/metric"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// fakes stand in the place of the generator. Each makes the frames of a case.
var fakes = map[string]func(c Case, rng *rand.Rand) Frames{
	"nearly real": func(c Case, rng *rand.Rand) Frames {
		frames := clips.ToFloat(c.Real)
		for i := range frames {
			frames[i] += float32(0.003 * rng.NormFloat64())
		}
		return frames
	},
	"copy": func(c Case, _ *rand.Rand) Frames { return clips.ToFloat(copyLast(c.Past, c.Future, c.Real.Frames)) },
	"noise": func(c Case, rng *rand.Rand) Frames {
		frames := make(Frames, len(c.Real.Pix))
		for i := range frames {
			frames[i] = float32(rng.NormFloat64())
		}
		return frames
	},
}

// Every metric that can be computed here ranks a model that is nearly right before one that repeats
// the last frame, and that before noise, through the whole evaluation. A digit that stands still is
// still the right one.
func TestFakesAreRanked(t *testing.T) {
	b, c := backendtest.Open(t), config()
	c.Data.Size, c.Data.Options = 32, configs.Options{"digits": 1, "speed": []float64{4, 4}}
	c.Frames.Past, c.Frames.Future = 7, 0
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	p := Protocol{Name: "clean", Task: "predict", Clips: 2, Trajectories: 1, Frames: 2, Seed: 1}
	ds, err := data.Open(t.Context(), c, clips.Test, 9, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGenerator(b, model.NewStore(), m, c.Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	home, _ := os.UserHomeDir()
	folder := cmp.Or(os.Getenv("MCVD_WEIGHTS_DIR"), filepath.Join(cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local", "share")), "mcvd", "metrics"))
	metrics, err := metric.Open(metric.Names(), metric.Needs{Backend: b, Weights: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer metric.Close(metrics)
	metrics = slices.DeleteFunc(metrics, func(m metric.Opened) bool { return m.OfModel }) // these score no videos
	scores := map[string]map[string]Score{}                                               // by fake and metric
	cache := &Cache{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	for name, fake := range fakes {
		e, err := NewEvaluation(g, ds, p, metrics)
		if err != nil {
			t.Fatal(err)
		}
		e.Cache = cache
		e.generate = func(_ context.Context, seed uint64, cases []Case, _ func()) (made []Frames, err error) {
			rng := rand.New(rand.NewPCG(seed, 1))
			for _, c := range cases {
				made = append(made, fake(c, rng))
			}
			return made, nil
		}
		scores[name] = summed(t, e).Results[0].Scores
	}
	for _, m := range metrics {
		value := func(fake string) float64 { // higher is better
			s := scores[fake][m.Name]
			v := s.Mean.Mean
			if s.Set != nil {
				v = s.Set.Value
			}
			if !m.HigherIsBetter {
				v = -v
			}
			return v
		}
		if reason := scores["copy"][m.Name].Skipped; reason != "" {
			if m.Skipped != reason {
				t.Errorf("%s: skipped: %s", m.Name, reason)
			}
			t.Logf("%s: not computed here: %s", m.Name, reason)
			continue
		}
		real, still, noise := value("nearly real"), value("copy"), value("noise")
		if !(real > noise) || !(real > still || m.Name == "digit" && real == still) || !(still > noise) {
			t.Errorf("%s: nearly real %g, copy %g, noise %g (higher is better), want this order", m.Name, real, still, noise)
		}
	}
}
