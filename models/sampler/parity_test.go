package sampler

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/paritytest"
)

// trajectory is what the name of a fixture says.
type trajectory struct {
	schedule        string
	steps, clip, de int
	start           float64
}

func parseTrajectory(t *testing.T, path string) trajectory {
	t.Helper()
	var r trajectory
	name := strings.TrimSuffix(filepath.Base(path), ".safetensors")
	_, err := fmt.Sscanf(strings.Replace(name, "_", " ", 1), "%s s%d_clip%d_den%d_tmin%g", &r.schedule, &r.steps, &r.clip, &r.de, &r.start)
	if err != nil {
		t.Fatalf("%s: %v, want a name such as linear_s10_clip1_den0_tmin0.4", name, err)
	}
	return r
}

// published is a schedule as the published code has it. Its cosine schedule is known by its
// recorded values only: the first is what float32 makes of 4e-33, and where x0 is not clipped
// results are as large as its reciprocal root.
func published(t *testing.T, folder, name string) *diffusion.Discrete {
	t.Helper()
	if name == "linear" {
		return linear(t)
	}
	byLabel := paritytest.Open(t, folder, "schedule_"+name+".safetensors").Doubles("alphas_bar")
	slices.Reverse(byLabel)
	return &diffusion.Discrete{AlphaBar: byLabel}
}

// Samples agree with the published code's to 1e-4 (1 + |value|), with the noise that it drew, from
// pure noise and from frames with noise added.
func TestParity(t *testing.T) {
	b := backendtest.Open(t)
	paritytest.Each(t, "sampler/*_s*_clip*", func(t *testing.T, path string) {
		name := parseTrajectory(t, path)
		s := published(t, filepath.Dir(path), name.schedule)
		c := configs.Sampler{Steps: name.steps, Clip: name.clip == 1, LastDenoise: name.de == 1, PublishedLastDenoiseLabel: name.de == 1,
			Start: name.start, PublishedStart: name.start > 0}
		levels, from := levelsOf(t, s, c), startOf(t, s, c)
		eps := saying(func(x *Node, at diffusion.LevelNodes) *Node {
			return Tanh(Add(MulScalar(x, 0.7), MulScalar(Sin(DivScalar(at.Label, 100)), 0.2)))
		})
		f := paritytest.Open(t, path)
		for _, sampler := range []struct {
			name string
			Sampler
		}{{"ddpm", DDPM{}}, {"ddim", DDIM{}}} {
			x, dims := f.Frames("x_init", 1)
			var noise []float32
			if _, ok := f.Lookup(sampler.name + "_noise"); ok {
				noise = f.Floats(sampler.name + "_noise")
			}
			draw := func() []float32 {
				if len(noise) < len(x) {
					t.Fatalf("%s: more noise used than was recorded", sampler.name)
				}
				z := noise[:len(x)]
				noise = noise[len(x):]
				return z
			}
			if from > 0 {
				x = AddNoise(levels[from], x, draw())
			}
			plan := Plan(sampler, s, levels[from:], c)
			like := func(v []float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, dims...) }
			out, err := loopOf(t, b, sampler.Sampler, eps).Run(context.Background(), like(x), nil, plan, func(int) *tensors.Tensor { return like(draw()) }, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := f.Frames(sampler.name, 1)
			worst := paritytest.Worst(tensors.MustCopyFlatData[float32](out), want, 1e-4, 1e-4)
			if !(worst <= 1) {
				t.Errorf("%s: %.2g of the tolerance", sampler.name, worst)
			}
			t.Logf("%s: %d steps without the first %d, worst deviation %.1g (1 + |value|)", sampler.name, len(plan), from, worst*1e-4)
			if len(noise) > 0 {
				t.Errorf("%s: %d values of noise were recorded that are not used", sampler.name, len(noise))
			}
		}
	})
}
