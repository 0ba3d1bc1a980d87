package configs

import (
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Validate reports every problem of c that can be seen without a data set or a backend, one a line,
// by YAML path: "frames.current: 0, want 1 to 1024". It doesn't check the names of networks,
// samplers, schedules and data sets, and their options; [Catalogue.Resolve] does.
func (c *Config) Validate() error { return c.problems().Err() }

// problems returns what is wrong with c.
func (c *Config) problems() Problems {
	var p Problems
	p.checkTags(reflect.ValueOf(c).Elem(), "")
	c.checkFrames(&p)
	c.checkData(&p)
	c.checkSampler(&p)
	t := c.Train
	p.Check(!(t.Patience > 0 && t.Patience < 1), "train.patience", t.Patience, "0 for none, or 1 or more")
	p.Check(t.CheckpointEvery < 1 || t.KeepSteps%t.CheckpointEvery == 0, "train.keep_steps", t.KeepSteps,
		fmt.Sprintf("a multiple of train.checkpoint_every, which is %d: of other steps there are no checkpoints", t.CheckpointEvery), "train.checkpoint_every")
	p.Check(t.Devices < 1 || t.Batch%t.Devices == 0, "train.devices", t.Devices, fmt.Sprintf("a divisor of train.batch, which is %d", t.Batch), "train.batch")
	return p
}

func (c *Config) checkFrames(p *Problems) {
	f := c.Frames
	if !f.Mask.Together {
		return
	}
	p.Check(f.Past > 0 && f.Future > 0, "frames.mask.together", true,
		fmt.Sprintf("false, because it needs past and future frames (frames.past: %d, frames.future: %d)", f.Past, f.Future),
		"frames.past", "frames.future")
	p.Check(f.Mask.Past == f.Mask.Future, "frames.mask.together", true,
		fmt.Sprintf("false, because frames.mask.past (%v) and frames.mask.future (%v) differ", f.Mask.Past, f.Mask.Future),
		"frames.mask.past", "frames.mask.future")
}

func (c *Config) checkData(p *Problems) {
	d := c.Data
	p.Check(d.Channels == 1 || d.Channels == 3, "data.channels", d.Channels, "1 (grey) or 3 (RGB)")
	p.Check(utf8.ValidString(d.Path), "data.path", d.Path, "UTF-8 text") // or YAML couldn't hold it
}

func (c *Config) checkSampler(p *Problems) {
	s, total := c.Sampler, c.Diffusion.Steps
	p.Check(s.Steps <= total, "sampler.steps", s.Steps, fmt.Sprintf("at most diffusion.steps, which is %d", total), "diffusion.steps")
	c.checkStart(p)
}

// checkStart reports a start that leaves no steps, for steps that begin at label 0 and are evenly
// spaced.
func (c *Config) checkStart(p *Problems) {
	s, total := c.Sampler, c.Diffusion.Steps
	if s.Spacing != Default().Sampler.Spacing || !(s.Start > 0 && s.Start < 1) || s.Steps < 1 || s.Steps > total {
		return
	}
	last, of := (s.Steps-1)*total/s.Steps, total
	if s.PublishedStart {
		of = s.Steps
	}
	p.Check(s.FirstLabel(total) <= last, "sampler.start", s.Start,
		fmt.Sprintf("at most %v, or it leaves out all of the %d sampler.steps", float64(last)/float64(of), s.Steps),
		"sampler.steps", "diffusion.steps", "sampler.published_start")
}
