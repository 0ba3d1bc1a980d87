package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// The last moment is the video that is generated without watching, the first is pure noise, and the
// forward process has one noise at all levels.
func TestHistoryEndsAtTheGeneratedVideo(t *testing.T) {
	b, c := backendtest.Open(t), config()
	c.Sampler = configs.Sampler{Precision: "float32", Spacing: "uniform", Name: "ddpm", Steps: 4, Clip: true, LastDenoise: true}
	m, store := trained(t, b, c)
	g, err := NewGenerator(b, store, m, c.Sampler, 3, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	real := make([]Frames, 2)
	for i := range real {
		real[i] = make(Frames, 3*16)
		for k := range real[i] {
			real[i][k] = float32(math.Sin(float64(k + 5*i)))
		}
	}
	moments, err := g.History(context.Background(), real)
	if err != nil {
		t.Fatal(err)
	}
	if len(moments) != 6 || moments[0].Level != m.Schedule.Level(1) || moments[5].Level != diffusion.Clean {
		t.Fatalf("%d moments from %+v, want 6 from the noisiest level to clean frames", len(moments), moments[0].Level)
	}
	want, err := g.Videos(context.Background(), Job{Task: Generate, Frames: 3, Advance: 3}, []Case{{Clip: 0}, {Clip: 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range real {
		if !slices.Equal(moments[5].Reverse[i], want[i]) {
			t.Errorf("video %d ends elsewhere than without watching", i)
		}
		start := make([]float32, 3*16)
		g.draw(Case{Clip: i}, 0, 0, start)
		if !slices.Equal(moments[0].Reverse[i], start) {
			t.Errorf("video %d does not begin with its noise", i)
		}
		if slices.Equal(moments[2].Reverse[i], moments[3].Reverse[i]) {
			t.Errorf("video %d: a step changed nothing", i)
		}
		if !slices.Equal(moments[5].Forward[i], real[i]) {
			t.Errorf("block %d has noise at clean frames", i)
		}
		for k, x := range real[i] {
			var noise []float64
			for _, m := range moments[:5] {
				noise = append(noise, (float64(m.Forward[i][k])-m.Level.Signal*float64(x))/m.Level.Noise)
			}
			if !(slices.Max(noise)-slices.Min(noise) <= 1e-5) {
				t.Fatalf("block %d, value %d: noise %v, want the same at all levels", i, k, noise)
			}
		}
	}
	if _, err := g.History(context.Background(), []Frames{{1}}); fmt.Sprint(err) != "real block 0 has 1 values, want 48" {
		t.Errorf("a block that is too small: %v", err)
	}
}
