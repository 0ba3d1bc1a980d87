package configs

import (
	"errors"
	"fmt"
	"reflect"
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
	f, cosine := c.Frames, c.Diffusion.Schedule == "cosine"
	idle(f.Past == 0 && f.Mask.Past != 0, "frames.past", "frames.past is 0", "frames.mask.past",
		func(c *Config) any { return c.Frames.Mask.Past })
	idle(f.Future == 0 && f.Mask.Future != 0, "frames.future", "frames.future is 0", "frames.mask.future",
		func(c *Config) any { return c.Frames.Mask.Future })
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

// NoEffect is how an implementation says which settings have no effect on it: those at paths, because of the setting at
// cause. It reports those that somebody wrote, as Load does for the settings that it knows of itself, one a line with its
// place.
func (c *Config) NoEffect(cause string, paths ...string) error {
	k := &checker{set: c.written}
	root := encode(reflect.ValueOf(c).Elem())
	for _, path := range paths {
		if at := c.written[path]; at.layer > 0 && at.layer >= c.written[cause].layer {
			k.report(path, fmt.Sprintf("%s has no effect because %s is %s", flow(lookUp(root, path)), cause, lookUp(root, cause).Value))
		}
	}
	return errors.Join(k.errs...)
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
