package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// guided makes a block of two videos of each task in one step, so that a frame is the network's x0,
// with first weights. It checks that as many network evaluations are reported as were announced.
func guided(t *testing.T, conditioning string, guide configs.Guidance, tasks ...Task) map[Task][]float32 {
	t.Helper()
	return guidedBy(t, config(), conditioning, guide, tasks...)
}

// guidedTold is guided for a network that is told the noise of the past.
func guidedTold(t *testing.T, conditioning string, guide configs.Guidance, tasks ...Task) map[Task][]float32 {
	t.Helper()
	c := config()
	c.Model.Options["past_noise"], c.Frames.Mask.Noised = true, 0.5
	return guidedBy(t, c, conditioning, guide, tasks...)
}

func guidedBy(t *testing.T, c *configs.Config, conditioning string, guide configs.Guidance, tasks ...Task) map[Task][]float32 {
	t.Helper()
	b := backendtest.Open(t)
	c.Model.Options["conditioning"], c.Sampler.Guidance = conditioning, guide
	if conditioning == "spatin" {
		c.Model.Options["spatin_width"] = 4
	}
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store, err := m.Init(b, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Finalize()
	g, err := NewGenerator(b, store, m, c.Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	made := map[Task][]float32{}
	for _, task := range tasks {
		cases := make([]Case, 2)
		for i := range cases {
			cases[i].Clip = i
			if task.Past {
				cases[i].Past = rising(40+70*i, 2)
			}
			if task.Future {
				cases[i].Future = rising(200-90*i, 2)
			}
		}
		j, calls := Job{Task: task, Frames: 3, Advance: 3}, 0
		want, err := g.Evaluations(j, len(cases))
		if err != nil {
			t.Fatal(err)
		}
		videos, err := g.Videos(t.Context(), j, cases, func() { calls++ })
		if err != nil {
			t.Fatal(err)
		}
		if calls != want {
			t.Errorf("%d network evaluations reported, %d announced", calls, want)
		}
		made[task] = slices.Concat(videos...)
	}
	return made
}

func scales(past, future float64) configs.Guidance {
	return configs.Guidance{Name: "frames", Options: configs.Options{"past_scale": past, "future_scale": future}}
}

// Frames and caches of several branches go through the whole generator. Scale 1 is the network as it
// is, and scale 0 is the network with hidden frames, bit for bit. Other scales give the weighted sum
// of what the network makes with its frames hidden.
func TestScalesOfGuidance(t *testing.T) {
	for _, conditioning := range []string{"concat", "spatin"} {
		plain := guided(t, conditioning, configs.Guidance{}, Generate, Predict, Retrodict, Interpolate)
		if slices.Equal(plain[Interpolate], plain[Generate]) {
			t.Errorf("%s: hidden frames change nothing", conditioning)
		}
		for _, c := range []struct {
			guide configs.Guidance
			same  Task
		}{
			{scales(1, 1), Interpolate},
			{scales(0, 0), Generate},
			{configs.Guidance{Name: "history", Options: configs.Options{"scale": 0.0}}, Retrodict},
		} {
			got, want := guided(t, conditioning, c.guide, Interpolate)[Interpolate], plain[c.same]
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Errorf("%s, %v: value %d is %v, want %v, that of %v", conditioning, c.guide, i, got[i], want[i], c.same)
					break
				}
			}
		}
		got, worst := guided(t, conditioning, scales(3, 0.5), Interpolate)[Interpolate], 0.0
		for i, x := range got {
			none, past, both := float64(plain[Generate][i]), float64(plain[Predict][i]), float64(plain[Interpolate][i])
			worst = math.Max(worst, math.Abs(float64(x)-(none+3*(past-none)+0.5*(both-past))))
		}
		if !(worst <= 1e-4) {
			t.Errorf("%s: differs from the formula by %g", conditioning, worst)
		}
	}
}

func TestAReportNamesTheGuidance(t *testing.T) {
	h := Header{Checkpoint: "c", Sampler: configs.Sampler{Name: "ddim", Steps: 4, Guidance: scales(2, 3)}}
	if want := ", guidance frames (future_scale 3, past_scale 2)"; !strings.HasSuffix(h.maker(), want) {
		t.Errorf("%q, want it to end with %q", h.maker(), want)
	}
	h.Sampler.Guidance.Name = "none"
	if text := h.maker(); strings.Contains(text, "guidance") {
		t.Errorf("%q, want no guidance", text)
	}
}

func TestEachBranchCounts(t *testing.T) {
	for _, c := range []struct {
		guide configs.Guidance
		want  int
	}{
		{scales(1, 1), 1},
		{scales(0, 0), 1},
		{scales(2, 2), 2},
		{scales(2, 3), 3},
		{configs.Guidance{Name: "history", Options: configs.Options{"scale": 2.0, "lengths": []int{1}, "scales": []float64{2}}}, 3},
	} {
		t.Run(fmt.Sprint(c.guide), func(t *testing.T) {
			s := config().Sampler
			s.Guidance = c.guide
			g, err := NewGenerator(backendtest.OpenGo(t), model.NewStore(), counting(t), s, 1, 2, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			if n, err := g.NFE(Job{Task: Interpolate, Frames: 3, Advance: 3}); n != c.want || err != nil {
				t.Errorf("%d network evaluations for a window of one step, error %v, want %d", n, err, c.want)
			}
		})
	}
}
