package configs

import (
	"fmt"
	"slices"
	"strings"
)

// idleSetting is a setting that has no effect in a configuration.
type idleSetting struct {
	path   string
	get    func(*Config) any
	cause  string // the setting that makes it so
	reason string
}

// idle lists the settings that have no effect in c.
func (c *Config) idle() []idleSetting {
	var list []idleSetting
	idle := func(when bool, cause, reason, path string, get func(*Config) any) {
		if when {
			list = append(list, idleSetting{path, get, cause, reason})
		}
	}
	f, digits, cosine := c.Frames, c.Data.Name == "digits", c.Diffusion.Schedule == "cosine"
	idle(f.Past == 0 && f.Mask.Past != 0, "frames.past", "frames.past is 0", "frames.mask.past",
		func(c *Config) any { return c.Frames.Mask.Past })
	idle(f.Future == 0 && f.Mask.Future != 0, "frames.future", "frames.future is 0", "frames.mask.future",
		func(c *Config) any { return c.Frames.Mask.Future })
	idle(digits, "data.name", "digits are drawn, not read", "data.path", func(c *Config) any { return c.Data.Path })
	idle(digits, "data.name", "digits are drawn, not read", "data.fps", func(c *Config) any { return c.Data.FPS })
	idle(digits, "data.name", "digits are drawn, not read", "data.on_error", func(c *Config) any { return c.Data.OnError })
	idle(cosine, "diffusion.schedule", "the cosine schedule has no betas to choose", "diffusion.beta_start",
		func(c *Config) any { return c.Diffusion.BetaStart })
	idle(cosine, "diffusion.schedule", "the cosine schedule has no betas to choose", "diffusion.beta_end",
		func(c *Config) any { return c.Diffusion.BetaEnd })
	idle(c.Optimizer.EMA == "power", "optimizer.ema", "optimizer.ema is power", "optimizer.ema_decay",
		func(c *Config) any { return c.Optimizer.EMADecay })
	idle(c.Model.Conditioning != "spatin", "model.conditioning", "model.conditioning is not spatin", "model.spatin_width",
		func(c *Config) any { return c.Model.SpatinWidth })
	idle(c.Sampler.ReferenceLastDenoiseLabel && !c.Sampler.LastDenoise, "sampler.last_denoise", "sampler.last_denoise is false",
		"sampler.reference_last_denoise_label", func(c *Config) any { return c.Sampler.ReferenceLastDenoiseLabel })
	idle(c.Sampler.ReferenceStart && c.Sampler.Start == 0, "sampler.start", "sampler.start is 0", "sampler.reference_start",
		func(c *Config) any { return c.Sampler.ReferenceStart })
	return list
}

// unused reports settings that somebody wrote and that have no effect. One that was written before its cause, in a
// base, is no mistake: nobody could take it back.
func (c *Config) unused(set origins) []error {
	k := &checker{set: set}
	for _, i := range c.idle() {
		if at := set[i.path]; at.layer > 0 && at.layer >= set[i.cause].layer {
			value := i.get(c)
			if text, ok := value.(string); ok {
				value = fmt.Sprintf("%q", text)
			}
			k.report(i.path, fmt.Sprintf("%v has no effect because %s", value, i.reason))
		}
	}
	c.unusedAttention(k)
	return k.errs
}

// unusedAttention reports sizes in a list that somebody wrote which the network doesn't have, whatever made it so: the
// list can be written anew.
func (c *Config) unusedAttention(k *checker) {
	sizes := c.levelSizes()
	if k.set["model.attention"].layer == 0 || len(sizes) == 0 {
		return
	}
	for i, size := range c.Model.Attention {
		if !slices.Contains(sizes, size) {
			k.report(fmt.Sprintf("model.attention[%d]", i),
				fmt.Sprintf("%d has no effect because the network's sizes are %s", size, numbers(sizes)))
		}
	}
}

func numbers(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}
