package train

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/paritytest"
	"mcvd/models/published"
	"mcvd/models/published/schema"
)

// publishedConfig is the experiment of a fixture.
func publishedConfig(t *testing.T, path string) *configs.Config {
	t.Helper()
	path = filepath.Join(path, "config.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := schema.Translate(path, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clips joins the conditioning and the clean frames of a step, [batch, past + current + future,
// height, width, channels].
func clipsOf(f paritytest.Fixture, step string, c *configs.Config) *tensors.Tensor {
	x0, d := f.Frames(step+"x0", c.Data.Channels)
	cond, dCond := f.Frames(step+"cond", c.Data.Channels)
	frame := d[2] * d[3] * d[4]
	var v []float32
	for i := range d[0] {
		before := cond[i*dCond[1]*frame : (i+1)*dCond[1]*frame]
		v = append(v, before[:c.Frames.Past*frame]...)
		v = append(v, x0[i*d[1]*frame:(i+1)*d[1]*frame]...)
		v = append(v, before[c.Frames.Past*frame:]...)
	}
	return tensors.FromFlatDataAndDimensions(v, d[0], c.Frames.Total(), d[2], d[3], d[4])
}

// Steps agree with the published code's: losses, norms and learning rates to 1e-5; the parameters
// and their average after them to 5e-5 at worst and, on average, to 1e-6 and a thousandth of the
// way that they went (Adam makes whole steps of gradients that are rounding errors).
func TestParityOfSteps(t *testing.T) {
	paritytest.Each(t, "train/*", parityOfSteps)
}

func parityOfSteps(t *testing.T, path string) {
	b, c := backendtest.Open(t), publishedConfig(t, path)
	f := paritytest.Open(t, path, "steps.safetensors")
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store, err := firstState(b, m, c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.List(b)
	if err != nil {
		t.Fatal(err)
	}
	weights, names := l.Weights, published.NewNames(l.Layers)
	ours := func(prefix string, w models.Weight) []float32 {
		name, err := names.Of(w)
		if err != nil {
			t.Fatal(err)
		}
		return name.Layout.FromPublished(f.Floats(prefix+name.Name), w.Shape)
	}
	for _, scope := range []string{models.WeightsScope, models.EMAScope} {
		for _, w := range weights {
			v := store.GetVariable("/" + scope + "/" + w.Path)
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(ours("init.", w), w.Shape...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	steps := 0
	for ; ; steps++ {
		if _, ok := f.Lookup(fmt.Sprintf("step%d.x0", steps+1)); !ok {
			break
		}
	}
	if steps == 0 {
		t.Fatal("no steps in the fixture")
	}
	draws := given{Model: m}
	for i := range steps {
		var timesteps []int32
		for _, label := range f.Ints(fmt.Sprintf("step%d.labels", i+1)) {
			timesteps = append(timesteps, int32(m.Schedule.(*diffusion.Discrete).Label(label))) // Label is its own inverse
		}
		draws.t, draws.noise = append(draws.t, timesteps), append(draws.noise, noiseOf(f, fmt.Sprintf("step%d.z", i+1), c))
	}
	s, err := newStepper(b, store, draws, c, all(c))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for i := range steps {
		name := fmt.Sprintf("step%d.", i+1)
		r, err := s.run(i+1, placed(t, s, clipsOf(f, name, c)), row(i))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name string
			got  float64
		}{{"loss", r.Loss * s.values}, {"grad_norm", r.GradientNorm}, {"lr", r.LearningRate}} {
			want := float64(f.Floats(name + c.name)[0])
			if !(math.Abs(c.got/want-1) <= 1e-5) {
				t.Errorf("step %d: %s %g, want %g", i+1, c.name, c.got, want)
			}
			t.Logf("step %d: %s %g, relative deviation %.1g", i+1, c.name, c.got, math.Abs(c.got/want-1))
		}
	}
	for prefix, scope := range map[string]string{"final.": models.WeightsScope, "ema.": models.EMAScope} {
		worst, sum, n, moved := 0.0, 0.0, 0, 0.0
		worstName := ""
		for _, w := range weights {
			want, first := ours(prefix, w), ours("init.", w)
			for i, got := range values(t, store, "/"+scope+"/"+w.Path) {
				deviation := math.Abs(float64(got) - float64(want[i]))
				if !(deviation <= worst) {
					worst, worstName = deviation, w.Path
				}
				sum, n, moved = sum+deviation, n+1, moved+math.Abs(float64(want[i])-float64(first[i]))
			}
		}
		if !(worst <= 5e-5) || !(sum <= 1e-6*float64(n)) || !(sum <= 1e-3*moved) {
			t.Errorf("%s: parameters deviate by %.2g at worst (%s), by %.2g on average", scope, worst, worstName, sum/float64(n))
		}
		t.Logf("%s: %d values moved by %.2g on average and deviate by %.2g at worst (%s), by %.2g on average", scope, n, moved/float64(n), worst, worstName, sum/float64(n))
	}
}

// noiseOf reads the noise of a step, [batch, frames, height, width, channels].
func noiseOf(f paritytest.Fixture, name string, c *configs.Config) []float32 {
	values, _ := f.Frames(name, c.Data.Channels)
	return values
}
