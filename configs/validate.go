package configs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLevels is how many levels the largest size can have.
const maxLevels = 13

// Validate reports every problem of c that can be seen without a data set or a backend, one a line, by YAML path:
// "frames.current: 0, want 1 to 1024". Names of networks, samplers, schedules and data sets are not among them: the
// tables that hold these reject unknown ones (see [Pick]).
func (c *Config) Validate() error { return errors.Join(c.problems(nil)...) }

// checker collects problems and, for values that were loaded, says where they were set.
type checker struct {
	set  origins // nil for a Config that was not loaded
	errs []error
}

// report notes a problem of path. also are settings that it contradicts: of all these the one that was set last is
// named as the place, since it is the one that broke what had been right.
func (k *checker) report(path, problem string, also ...string) {
	where := ""
	if k.set != nil {
		where = k.set.last(append([]string{path}, also...)...).where + ": "
	}
	k.errs = append(k.errs, errors.New(where+path+": "+problem))
}

func (k *checker) check(ok bool, path string, got any, want string, also ...string) {
	if _, isText := got.(string); isText {
		got = fmt.Sprintf("%q", got)
	}
	if !ok {
		k.report(path, fmt.Sprintf("%v, want %s", got, want), also...)
	}
}

// last returns the latest origin of the paths, of equally late ones the first.
func (o origins) last(paths ...string) origin {
	latest := origin{where: "default"}
	for _, path := range paths {
		found, ok := o[path]
		if list, _, isItem := strings.Cut(path, "["); isItem && !ok {
			found = o[list]
		}
		if found.layer > latest.layer {
			latest = found
		}
	}
	return latest
}

// problems returns what is wrong with c; set says where its values are from.
func (c *Config) problems(set origins) []error {
	k := &checker{set: set}
	k.checkTags(reflect.ValueOf(c).Elem(), "")
	c.checkFrames(k)
	c.checkData(k)
	c.checkModel(k)
	c.checkDiffusion(k)
	return k.errs
}

func (c *Config) checkFrames(k *checker) {
	f := c.Frames
	if !f.Mask.Together {
		return
	}
	k.check(f.Past > 0 && f.Future > 0, "frames.mask.together", true,
		fmt.Sprintf("false, because it needs past and future frames (frames.past: %d, frames.future: %d)", f.Past, f.Future),
		"frames.past", "frames.future")
	k.check(f.Mask.Past == f.Mask.Future, "frames.mask.together", true,
		fmt.Sprintf("false, because frames.mask.past (%v) and frames.mask.future (%v) differ", f.Mask.Past, f.Mask.Future),
		"frames.mask.past", "frames.mask.future")
}

func (c *Config) checkData(k *checker) {
	d := c.Data
	k.check(d.Channels == 1 || d.Channels == 3, "data.channels", d.Channels, "1 (grey) or 3 (RGB)")
	k.check(utf8.ValidString(d.Path), "data.path", d.Path, "UTF-8 text") // or YAML couldn't hold it
}

func (c *Config) checkModel(k *checker) {
	m, levels := c.Model, len(c.Model.Multipliers)
	if levels < 1 || levels > maxLevels {
		k.report("model.multipliers", fmt.Sprintf("%d levels, want 1 to %d", levels, maxLevels))
		return
	}
	multiple := 1 << (levels - 1)
	k.check(c.Data.Size%multiple == 0, "data.size", c.Data.Size,
		fmt.Sprintf("a multiple of %d, because the network halves it %d times", multiple, levels-1), "model.multipliers")
	for i, size := range m.Attention {
		k.check(!slices.Contains(m.Attention[:i], size), fmt.Sprintf("model.attention[%d]", i), size, "each size once")
	}
	k.check(!m.MaskEmbedding || c.Frames.Past > 0, "model.mask_embedding", true, "false, because frames.past is 0", "frames.past")
	k.check(m.Conditioning != "spatin" || c.Frames.Past+c.Frames.Future > 0, "model.conditioning", m.Conditioning,
		"concat, because there are no past or future frames", "frames.past", "frames.future")
	c.checkHeads(k)
}

// checkHeads rejects layers whose channels can't be shared out among whole attention heads. The last level always has
// attention, in the middle of the network.
func (c *Config) checkHeads(k *checker) {
	m := c.Model
	if m.HeadChannels < 1 {
		return
	}
	sizes := c.levelSizes()
	for i, multiplier := range m.Multipliers {
		channels := m.Width * multiplier
		heads := max(1, channels/m.HeadChannels)
		attends := i == len(m.Multipliers)-1 || i < len(sizes) && slices.Contains(m.Attention, sizes[i])
		k.check(!attends || channels%heads == 0, "model.head_channels", m.HeadChannels,
			fmt.Sprintf("a divisor of the %d channels of level %d", channels, i), "model.width", "model.multipliers")
	}
}

func (c *Config) checkDiffusion(k *checker) {
	d, s := c.Diffusion, c.Sampler
	if d.Schedule == "linear" {
		k.check(d.BetaStart <= d.BetaEnd, "diffusion.beta_start", d.BetaStart,
			fmt.Sprintf("at most beta_end, which is %v", d.BetaEnd), "diffusion.beta_end")
	}
	k.check(s.Steps <= d.Steps, "sampler.steps", s.Steps, fmt.Sprintf("at most diffusion.steps, which is %d", d.Steps),
		"diffusion.steps")
	c.checkStart(k)
}

// checkStart reports a start that leaves no step. Steps begin at label 0 and are evenly spaced.
func (c *Config) checkStart(k *checker) {
	s, total := c.Sampler, c.Diffusion.Steps
	if !(s.Start > 0 && s.Start < 1) || s.Steps < 1 || s.Steps > total {
		return
	}
	last, of := (s.Steps-1)*total/s.Steps, total
	if s.ReferenceStart {
		of = s.Steps
	}
	k.check(s.FirstLabel(total) <= last, "sampler.start", s.Start,
		fmt.Sprintf("at most %v, or it leaves out all of the %d sampler.steps", float64(last)/float64(of), s.Steps),
		"sampler.steps", "diffusion.steps", "sampler.reference_start")
}

// levelSizes are the sizes of a frame at the levels of the network; none if it can't be halved so often.
func (c *Config) levelSizes() []int {
	levels := len(c.Model.Multipliers)
	if levels < 1 || levels > maxLevels || c.Data.Size%(1<<(levels-1)) != 0 {
		return nil
	}
	sizes := make([]int, levels)
	for i := range sizes {
		sizes[i] = c.Data.Size >> i
	}
	return sizes
}
