package configs_test

import (
	"math"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

func TestValidateWithoutAFileNamesOnlyThePath(t *testing.T) {
	c := configs.Default()
	c.Optimizer.Epsilon = math.NaN()
	c.Frames.Current = 0
	want := "frames.current: 0, want 1 to 1024\noptimizer.epsilon: NaN, want more than 0, and finite"
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

func TestBoundsThemselves(t *testing.T) {
	for _, override := range []string{"frames.past=0", "frames.past=1024", "frames.mask.past=0", "frames.mask.past=1",
		"model.options.width=4", "model.options.dropout=0", "model.options.attention=[64, 32, 16, 8]", "data.channels=3", "optimizer.beta1=0",
		"optimizer.weight_decay=0", "optimizer.clip_norm=0", "optimizer.ema_decay=0", "train.sample_every=0",
		"sampler.steps=1000", "sampler.steps=1", "sampler.options.eta=1", "sampler.start=0", "sampler.start=0.99", "diffusion.options.beta_start=0.02", "diffusion.steps=100",
		"data.size=4096", "data.size=8", "seed=18446744073709551615", "train.steps=700_000", "diffusion.loss=l1"} {
		if _, err := experiment.Load(write(t, ""), override); err != nil {
			t.Error(err)
		}
	}
}

func TestAStartLeavesOutTheLabelsBelowItsShare(t *testing.T) {
	for _, tt := range []struct {
		steps     int
		start     float64
		published bool
		want      int
	}{
		{100, 0, false, 0}, {100, 0.4, false, 400}, {100, 0.401, false, 401}, {100, 0.4001, false, 401}, {100, 0.07, false, 70},
		{100, 0.57, false, 570}, {100, 1e-3, false, 1}, {100, 0.4, true, 40}, {10, 0.4, true, 4}, {1000, 0.4, true, 400}, {10, 0.41, true, 5},
	} {
		if got := (configs.Sampler{Steps: tt.steps, Start: tt.start, PublishedStart: tt.published}).FirstLabel(1000); got != tt.want {
			t.Errorf("%+v: first label %d", tt, got)
		}
	}
	for _, percent := range []int{7, 14, 28, 55, 56} { // floating point puts these a bit above
		if got := (configs.Sampler{Steps: 10, Start: float64(percent) / 100}).FirstLabel(100); got != percent {
			t.Errorf("first label %d of 100, want %d", got, percent)
		}
	}
}

func TestAStartMustLeaveAStep(t *testing.T) {
	for _, tt := range []struct {
		steps     int
		start     float64
		published bool
		want      string
	}{
		{10, 0.9, false, ""}, {10, 0.901, false, "at most 0.9, or it leaves out all of the 10 sampler.steps"},
		{3, 0.666, false, ""}, {3, 0.667, false, "at most 0.666, or"}, {1000, 0.999, false, ""}, {1, 0.01, false, "at most 0, or"},
		{10, 0.99, true, ""}, {1000, 0.999, true, ""}, {1000, 0.9995, true, "at most 0.999, or"}, {1, 0.01, true, "at most 0, or"},
	} {
		c := configs.Default()
		c.Sampler.Steps, c.Sampler.Start, c.Sampler.PublishedStart = tt.steps, tt.start, tt.published
		if err := c.Validate(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v", tt, err)
		}
	}
}
