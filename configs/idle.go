package configs

import "reflect"

// idleSetting is a setting that has no effect in a configuration.
type idleSetting struct {
	path   string
	cause  string // the setting that makes it so
	reason string
}

// idle lists the settings that have no effect in c, whatever implementations are chosen.
func (c *Config) idle() []idleSetting {
	var list []idleSetting
	idle := func(when bool, cause, reason, path string) {
		if when {
			list = append(list, idleSetting{path, cause, reason})
		}
	}
	f, d, s, t := c.Frames, c.Data, c.Sampler, c.Train
	idle(f.Past == 0 && f.Mask.Past != 0, "frames.past", "frames.past is 0", "frames.mask.past")
	idle(f.Future == 0 && f.Mask.Future != 0, "frames.future", "frames.future is 0", "frames.mask.future")
	idle(d.Channels == 1 && d.Augment.Saturation != 0, "data.channels", "data.channels is 1", "data.augment.saturation")
	idle(!f.Times.Drawn() && f.Times.Span != 0, "frames.times.kind", "frames.times.kind is consecutive", "frames.times.span")
	idle(f.Past+f.Future == 0 && f.Mask.Kind != "blocks", "frames.past", "there are no past and no future frames", "frames.mask.kind")
	idle(s.PublishedLastDenoiseLabel && !s.LastDenoise, "sampler.last_denoise", "sampler.last_denoise is false",
		"sampler.published_last_denoise_label")
	idle(s.PublishedStart && s.Start == 0, "sampler.start", "sampler.start is 0", "sampler.published_start")
	idle(t.Teacher == "" && t.Distillation != "progressive", "train.teacher", "there is no train.teacher", "train.distillation")
	idle(t.Teacher == "" && t.TeacherSteps > 0, "train.teacher", "there is no train.teacher", "train.teacher_steps")
	return list
}

// unusedOf says which settings have no effect.
func (c *Config) unusedOf(idle []idleSetting) Problems {
	var p Problems
	for _, i := range idle {
		value := setting(reflect.ValueOf(c).Elem(), i.path).Interface()
		p = append(p, Problem{Path: i.path, Text: withoutEffect(value, i.reason), Also: []string{i.cause}, Unused: true})
	}
	return p
}
