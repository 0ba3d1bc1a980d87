package eval

import (
	"context"
	"math"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// Videos do not depend on how many devices make them: samplers, maps, visibility and the
// branches of guidance, batch by batch.
func TestVideosOfSeveralDevices(t *testing.T) {
	b := backendtest.Open(t)
	c := config()
	c.Model.Options["conditioning"], c.Model.Options["spatin_width"] = "spatin", 4
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	cases := make([]Case, 3) // of a batch of 4
	for i := range cases {
		cases[i] = Case{Clip: i, Past: rising(20*i, c.Frames.Past)}
		for k := range cases[i].Past.Pix {
			cases[i].Past.Pix[k] += uint8(37 * k)
		}
	}
	videos := func(n int) (frames []float32, err error) {
		store, err := m.Init(b, 1) // one that ran on several devices stays with them
		if err != nil {
			return nil, err
		}
		s := configs.Sampler{Name: "ddpm", Spacing: "uniform", Steps: 3, Clip: true, LastDenoise: true, Guidance: scales(2, 2)}
		g, err := NewGenerator(b, store, m, s, 1, 4, n)
		if err != nil {
			return nil, err
		}
		defer g.Close()
		err = g.Run(context.Background(), Job{Task: Predict, Frames: 3, Advance: c.Frames.Current}, cases, func(_, _ int, f Frame) error {
			frames = append(frames, f...)
			return nil
		}, nil)
		return frames, err
	}
	want, err := videos(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := videos(b.NumDevices() + 1); err == nil || !strings.Contains(err.Error(), "devices") {
		t.Errorf("more devices than there are: %v", err)
	}
	if b.NumDevices() < 2 {
		t.Log("this backend has one device")
		return
	}
	for _, n := range []int{2, 4} {
		got, err := videos(n)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d devices: %d values, want %d, error %v", n, len(got), len(want), err)
		}
		worst := 0.0
		for i := range want {
			worst = max(worst, math.Abs(float64(got[i]-want[i]))) // NaN stays
		}
		if !(worst <= 1e-5) {
			t.Errorf("%d devices: frames differ by %g", n, worst)
		}
		t.Logf("%d devices: frames differ by at most %.1g", n, worst)
	}
}
