package configs

import (
	"math"
	"strings"
	"testing"
)

func TestNaNAndInfinityAreOutOfEveryRange(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, r := range Default().ranges() {
			if r.value = bad; r.holds() {
				t.Errorf("%s accepts %v", r.path, bad)
			}
		}
	}
}

func TestValidateWithoutAFileNamesOnlyThePath(t *testing.T) {
	c := Default()
	c.Optimizer.Epsilon = math.NaN()
	c.Frames.Current = 0
	want := "frames.current: 0, want 1 to 1024\noptimizer.epsilon: NaN, want more than 0, and finite"
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

func TestBoundsThemselves(t *testing.T) {
	for _, override := range []string{"frames.past=0", "frames.past=1024", "frames.mask.past=0", "frames.mask.past=1",
		"model.width=4", "model.dropout=0", "model.attention=[64, 32, 16, 8]", "data.channels=3", "optimizer.beta1=0",
		"optimizer.weight_decay=0", "optimizer.clip_norm=0", "optimizer.ema_decay=0", "train.sample_every=0",
		"sampler.steps=1000", "sampler.steps=1", "sampler.eta=1", "diffusion.beta_start=0.02", "diffusion.steps=100",
		"data.size=4096", "data.size=8", "seed=18446744073709551615", "train.steps=700_000", "diffusion.loss=l1"} {
		if _, err := Load(write(t, ""), override); err != nil {
			t.Error(err)
		}
	}
}

func TestHeadsMustShareTheChannelsEqually(t *testing.T) {
	c := Default()
	c.Model.Width, c.Model.HeadChannels, c.Model.Multipliers, c.Model.Attention = 56, 64, []int{1, 4}, nil
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "224 channels of level 1") {
		t.Errorf("224 channels in 3 heads: error %v", err)
	}
	c.Model.Multipliers = []int{4, 1} // no attention at the level with 224
	if err := c.Validate(); err != nil {
		t.Errorf("attention only where there is one head: %v", err)
	}
}
