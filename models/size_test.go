package models

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
)

// Sizes are those of the published configurations, as another program counted them, which agrees
// with the published 27.9 million. What it counts of small layers differs a little.
func TestPublishedSizes(t *testing.T) {
	b := backendtest.OpenGo(t)
	for _, c := range []struct {
		name                             string
		width, past, current, future     int
		size, channels                   int
		multipliers                      []int
		spatin                           int // width; 0 for concat
		wantMillionParameters, wantGFLOP float64
	}{
		{"SMMNIST, 5 to 5", 64, 5, 5, 0, 64, 1, []int{1, 2, 3, 4}, 0, 27.9, 19.7},
		{"KTH, 10 to 5", 96, 10, 5, 0, 64, 1, []int{1, 2, 3, 4}, 0, 62.8, 43.0},
		{"BAIR, 2 to 5", 192, 2, 5, 0, 64, 3, []int{1, 2, 3, 4}, 0, 251.2, 166.6},
		{"Cityscapes, 2 to 5", 192, 2, 5, 0, 128, 3, []int{1, 1, 2, 3, 4}, 0, 262.1, 345.6},
		{"UCF-101, 4 to 4", 288, 4, 4, 0, 64, 3, []int{1, 2, 3, 4}, 0, 565.0, 370.3},
		{"SMMNIST, 5 to 5, SPATIN", 64, 5, 5, 0, 64, 1, []int{1, 2, 3, 4}, 128, 54.0, 57.4},
		{"KTH, 10 to 5, SPATIN", 192, 10, 5, 0, 64, 1, []int{1, 2, 3, 4}, 192, 367.7, 334.6},
		{"BAIR, 2 to 5, SPATIN", 192, 2, 5, 0, 64, 3, []int{1, 2, 3, 4}, 128, 328.6, 278.1},
		{"Cityscapes, 2 to 5, SPATIN", 256, 2, 5, 0, 128, 3, []int{1, 1, 2, 3, 4}, 128, 579.2, 1076},
		{"UCF-101, 4 to 4, SPATIN", 288, 4, 4, 0, 64, 3, []int{1, 2, 3, 4}, 192, 739.4, 621.8},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := configs.Default()
			e.Frames = configs.Frames{Past: c.past, Current: c.current, Future: c.future}
			e.Data.Size, e.Data.Channels = c.size, c.channels
			e.Model.Options = configs.Options{"width": c.width, "head_channels": c.width, "multipliers": c.multipliers}
			if c.spatin > 0 {
				e.Model.Options["conditioning"], e.Model.Options["spatin_width"] = "spatin", c.spatin
			}
			got, err := modelOf(t, e).Declare(b, model.NewStore().RootScope(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if n := float64(got.Parameters) / 1e6; !(math.Abs(n-c.wantMillionParameters) <= 0.05+1e-9) {
				t.Errorf("%d parameters, want %.1f million", got.Parameters, c.wantMillionParameters)
			}
			if n := got.FLOPs / 1e9; !(math.Abs(n/c.wantGFLOP-1) <= 2e-3) {
				t.Errorf("%.2f GFLOP, want %.1f", n, c.wantGFLOP)
			}
			t.Logf("%d parameters, %.2f GFLOP", got.Parameters, got.FLOPs/1e9)
		})
	}
}

func TestFLOPsGrowWithTheBatchAndDoNotDependOnHowItIsSplit(t *testing.T) {
	b := backendtest.Open(t)
	m := modelOf(t, toy())
	of := func(batch int) float64 {
		size, err := m.Declare(b, model.NewStore().RootScope(), batch)
		if err != nil {
			t.Fatal(err)
		}
		return size.FLOPs
	}
	for _, batch := range []int{2, 3, 4} {
		if got, want := of(batch), float64(batch)*of(1); got != want {
			t.Errorf("a batch of %d: %g FLOPs, want %g", batch, got, want)
		}
	}
}

// Counted by hand: the norms of the toy's blocks see 104 channels of 8x8 pixels and 200 of 4x4; two
// values each.
func TestSizeOfTheCache(t *testing.T) {
	b := backendtest.Open(t)
	for conditioning, want := range map[string]int{"concat": 0, "spatin": 2 * (104*64 + 200*16)} {
		c := toy()
		c.Model.Options["conditioning"] = conditioning
		for _, batch := range []int{1, 3, 4} {
			size, err := modelOf(t, c).Declare(b, model.NewStore().RootScope(), batch)
			if err != nil {
				t.Fatal(err)
			}
			if size.Cached != want*batch {
				t.Errorf("%s, batch of %d: a cache of %d values, want %d", conditioning, batch, size.Cached, want*batch)
			}
		}
	}
}
