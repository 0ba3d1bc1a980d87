package eval

import (
	"fmt"
	"slices"

	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// look is how a metric sees videos.
type look struct {
	pixels string // by which rule numbers become bytes, one of quantizers
	whole  bool   // with the given frames around
}

// quantizers are the rules by which numbers become bytes.
var quantizers = map[string]func(float32) uint8{"nearest": clips.Byte, "floor": clips.Floor, "binary": blackOrWhite}

// look is how the rules let a metric see videos.
func (r Rules) look(m metric.Opened) look {
	switch {
	case r.Binary && m.Name == "ssim":
		return look{"binary", m.Whole}
	case r.unrounded(m) != nil:
		return look{"nearest", m.Whole} // which leaves bytes as they are
	}
	return look{r.Pixels, m.Whole}
}

// unrounded is the metric if it sees the numbers of generated frames as they are, and else nil.
func (r Rules) unrounded(m metric.Opened) metric.Unrounded {
	if u, ok := m.Sets.(metric.Unrounded); ok && r.Unrounded {
		return u
	}
	return nil
}

// videos are those of cases as metrics see them. Each look is made once, however many metrics have
// it.
type videos struct {
	cases  []Case
	frames []Frames   // as they were generated; nil of videos that are bytes from the beginning
	frame  clips.Clip // the sizes of a frame of these
	rules  Rules
	// middle is the frames of video i between the given ones, as bytes by a rule.
	middle func(i int, rule func(float32) uint8) (clips.Clip, error)
	seen   map[look][]clips.Clip
}

// made are videos of frames that a model made.
func (e *Evaluation) made(cases []Case, frames []Frames) *videos {
	m := e.generator.model
	return &videos{cases, frames, clips.Clip{Frames: 1, Height: m.Height, Width: m.Width, Channels: m.Channels}, e.Rules, func(i int, rule func(float32) uint8) (clips.Clip, error) {
		return e.generator.clip(frames[i], rule)
	}, map[look][]clips.Clip{}}
}

// known are videos of frames that are bytes already: real ones, and those of baselines. A rule may
// change them.
func (e *Evaluation) known(cases []Case, frames func(Case) clips.Clip) *videos {
	return &videos{cases, nil, clips.Clip{}, e.Rules, func(i int, rule func(float32) uint8) (clips.Clip, error) {
		return again(frames(cases[i]), rule), nil
	}, map[look][]clips.Clip{}}
}

// again is a clip whose bytes became numbers and then bytes by a rule.
func again(c clips.Clip, rule func(float32) uint8) clips.Clip {
	var table [256]uint8
	for v := range table {
		table[v] = rule(clips.Float(uint8(v)))
	}
	out := c
	out.Pix = make([]uint8, len(c.Pix))
	for i, v := range c.Pix {
		out.Pix[i] = table[v]
	}
	return out
}

// as are the videos as a metric sees them.
func (v *videos) as(m metric.Opened) ([]clips.Clip, error) {
	l := v.rules.look(m)
	if v.seen[l] != nil {
		return v.seen[l], nil
	}
	rule := quantizers[l.pixels]
	list := make([]clips.Clip, len(v.cases))
	for i, c := range v.cases {
		clip, err := v.middle(i, rule)
		if err != nil {
			return nil, fmt.Errorf("clip %d: %w", c.Clip, err)
		}
		if l.whole {
			clip = join(again(c.Past, rule), clip, again(c.Future, rule))
		}
		list[i] = clip
	}
	v.seen[l] = list
	return list, nil
}

// features describe the videos for a metric of sets. Those that no model made may come from a cache.
func (v *videos) features(m metric.Opened, cache *Cache) ([][]float32, error) {
	if u := v.rules.unrounded(m); u != nil && v.frames != nil {
		return v.unrounded(u, m.Whole)
	}
	list, err := v.as(m)
	switch {
	case err != nil:
		return nil, err
	case v.frames != nil:
		return m.Sets.Features(list)
	}
	return cache.features(m, list)
}

// unrounded describes generated videos before their numbers become bytes. Numbers beyond [-1, 1] are
// cut off, as they are in bytes.
func (v *videos) unrounded(u metric.Unrounded, whole bool) (rows [][]float32, err error) {
	for i, c := range v.cases {
		values := slices.Clone(v.frames[i])
		for k, x := range values {
			values[k] = min(max(x, -1), 1)
		}
		if whole {
			values = slices.Concat(clips.ToFloat(c.Past), values, clips.ToFloat(c.Future))
		}
		size := v.frame
		size.Frames = len(values) / size.FrameSize()
		row, err := u.Unrounded(values, size)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row...)
	}
	return rows, nil
}
