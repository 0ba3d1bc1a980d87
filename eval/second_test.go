package eval

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/weights"
)

// narrower is the experiment of a small network of a kind.
func narrower(conditioning string) *configs.Config {
	c := config()
	c.Model.Options["conditioning"] = conditioning
	if conditioning == "spatin" {
		c.Model.Options["spatin_width"] = 4
	}
	return c
}

// compared is a model, with the second one that guidance compares it with.
func compared(t *testing.T, b compute.Backend, first, second *configs.Config) (*models.Model, *model.Store, error) {
	t.Helper()
	weak, store := trained(t, b, second)
	defer store.Finalize()
	path := filepath.Join(t.TempDir(), "weak.safetensors")
	if err := weights.Write(path, nil, models.Entries(store)); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, own := trained(t, b, first)
	t.Cleanup(func() { own.Finalize() })
	return m, own, m.LoadSecond(b, own, f, weak)
}

// autoguided makes two videos in one step, so that a frame is x0, on that many devices.
func autoguided(t *testing.T, b compute.Backend, m *models.Model, store *model.Store, guide configs.Guidance, devices int) []float32 {
	t.Helper()
	s := config().Sampler
	s.Guidance = guide
	g, err := NewGenerator(b, store, m, s, 1, 2, devices)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	cases := []Case{{Past: rising(40, 2), Future: rising(200, 2)}, {Clip: 1, Past: rising(110, 2), Future: rising(110, 2)}}
	videos, err := g.Videos(t.Context(), Job{Task: Interpolate, Frames: 3, Advance: 3}, cases, nil)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(videos...)
}

func autoScale(scale float64) configs.Guidance {
	return configs.Guidance{Name: "autoguidance", Options: configs.Options{"scale": scale, "checkpoint": "weak.safetensors"}}
}

// Videos are the weighted sum of what the two models make alone, each with its own way of conditioning.
// A scale of 1 changes no bit.
func TestAutoguidanceOfTwoNetworks(t *testing.T) {
	b := backendtest.Open(t)
	for _, kinds := range [][2]string{{"concat", "concat"}, {"spatin", "spatin"}, {"spatin", "concat"}} {
		first := narrower(kinds[0])
		first.Model.Options["width"] = 8
		m, store, err := compared(t, b, first, narrower(kinds[1]))
		if err != nil {
			t.Fatal(err)
		}
		good := autoguided(t, b, m, store, configs.Guidance{}, 1)
		if same := autoguided(t, b, m, store, autoScale(1), 1); !slices.Equal(same, good) {
			t.Errorf("%v: a scale of 1 changes the video", kinds)
		}
		weak, weakStore := trained(t, b, narrower(kinds[1]))
		defer weakStore.Finalize()
		want := autoguided(t, b, weak, weakStore, configs.Guidance{}, 1)
		if far(want, good) <= 1e-3 {
			t.Fatalf("%v: the two models make the same", kinds)
		}
		tolerance := 1e-5 * far(want, make(Frames, len(want)))
		for i := range want {
			want[i] += 3 * (good[i] - want[i])
		}
		if got := autoguided(t, b, m, store, autoScale(3), 1); !(far(got, want) <= 3*tolerance) {
			t.Errorf("%v: differs by %g from the formula", kinds, far(got, want))
		}
	}
	if b.NumDevices() < 2 {
		return
	}
	m, store, err := compared(t, b, config(), narrower("spatin"))
	if err != nil {
		t.Fatal(err)
	}
	one := autoguided(t, b, m, store, autoScale(2), 1)
	m, store, err = compared(t, b, config(), narrower("spatin")) // a store that ran stays with its devices
	if err != nil {
		t.Fatal(err)
	}
	if two := autoguided(t, b, m, store, autoScale(2), 2); !(far(one, two) <= 1e-5*far(one, make(Frames, len(one)))) {
		t.Errorf("videos of two devices differ by %g", far(one, two))
	}
}

func TestOtherSecondModelsAreRefused(t *testing.T) {
	b := backendtest.OpenGo(t)
	for _, c := range []struct {
		change func(*configs.Config)
		want   string
	}{
		{func(c *configs.Config) { c.Frames.Past = 1 }, "a model of 1 past, 3 current and 2 future frames of 4x4x1, self-conditioned false, told times false, told the noise of the past false, want that of the run: 2 past"},
		{func(c *configs.Config) { c.Data.Size = 8 }, "a model of 2 past, 3 current and 2 future frames of 8x8x1"},
		{func(c *configs.Config) { c.Model.Options["frame_times"] = true }, "a model of 2 past, 3 current and 2 future frames of 4x4x1, self-conditioned false, told times true, told the noise of the past false, want that of the run: 2 past"},
		{func(c *configs.Config) { c.Model.Options["past_noise"], c.Frames.Mask.Noised = true, 0.5 }, "a model of 2 past, 3 current and 2 future frames of 4x4x1, self-conditioned false, told times false, told the noise of the past true"},
		{func(c *configs.Config) { c.Model.Options["self_conditioning"] = true }, "a model of 2 past, 3 current and 2 future frames of 4x4x1, self-conditioned true"},
	} {
		second := config()
		c.change(second)
		if m, _, err := compared(t, b, config(), second); err == nil || !strings.HasPrefix(err.Error(), c.want) || m.Second != nil {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	s := config().Sampler
	s.Guidance = autoScale(2)
	if _, err := NewGenerator(b, model.NewStore(), counting(t), s, 1, 2, 1); err == nil || !strings.Contains(err.Error(), "sampler.guidance.name") {
		t.Errorf("without a second model: error %v", err)
	}
}
