package models

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/mask"
	"mcvd/models/network"
	"mcvd/models/nn"
)

// Cond is what the network is given beside the noisy frames. T is a node inside a graph, and a
// value on the devices outside of it. Past, Future and Visible are the zero T where the experiment
// has no such frames.
type Cond[T any] struct {
	Past, Future T // [batch, frames, height, width, channels]
	Visible      T // which of these frames are visible, [batch, past+future]: see package mask
	// Times are when the frames were taken, past, current, future, in frames of the video from any
	// moment on, [batch, past+current+future]; those of hidden frames don't matter. A model that is
	// not [Model.ToldTimes] has none. The zero T in a graph means that the frames follow each other
	// one by one.
	Times T
	// PastNoise is the noise level of the past frames, [batch] in [0, 1], and Z is the standard normal
	// noise that [Branches] adds to them, shaped like Past. A model that is not [Model.ToldPastNoise]
	// has none. The zero T in a graph means that these frames are clean.
	PastNoise, Z T
	// Cached are the values that [Model.Cache] computes from the fields above, by the names of
	// [Model.CacheKeys]. Without them, the network computes them in each evaluation.
	Cached map[string]T

	cache *network.Cache // to be filled, or Cached as the network sees it
}

// Flatten lists a condition as the inputs of a program: past, future, visible, times,
// noise of the past, then the cached values in the order of keys. Only it and [Unflatten] know this
// order.
func (c Cond[T]) Flatten(m *Model, keys []string) (flat []T) {
	f := m.Frames
	if f.Past > 0 {
		flat = append(flat, c.Past)
	}
	if f.Future > 0 {
		flat = append(flat, c.Future)
	}
	if f.Past+f.Future > 0 {
		flat = append(flat, c.Visible)
	}
	if m.ToldTimes() {
		flat = append(flat, c.Times)
	}
	if m.ToldPastNoise() {
		flat = append(flat, c.PastNoise, c.Z)
	}
	for _, key := range keys {
		flat = append(flat, c.Cached[key])
	}
	return flat
}

// Unflatten undoes Flatten.
func Unflatten[T any](m *Model, keys []string, flat []T) (c Cond[T]) {
	f := m.Frames
	next := func() (x T) {
		x, flat = flat[0], flat[1:]
		return x
	}
	if f.Past > 0 {
		c.Past = next()
	}
	if f.Future > 0 {
		c.Future = next()
	}
	if f.Past+f.Future > 0 {
		c.Visible = next()
	}
	if m.ToldTimes() {
		c.Times = next()
	}
	if m.ToldPastNoise() {
		c.PastNoise, c.Z = next(), next()
	}
	if len(keys) > 0 {
		c.Cached = map[string]T{}
		for _, key := range keys {
			c.Cached[key] = next()
		}
	}
	return c
}

// Branches is the condition of all branches of a guidance, [batch*branches, ...]. The past frames of
// each have noise at its level. Cached values are those of all branches already.
func Branches(p *guidance.Plan, c Cond[*Node]) Cond[*Node] {
	c.Past, c.Future, c.Visible = p.Repeat(c.Past), p.Repeat(c.Future), p.Hide(c.Visible)
	c.Times = p.Repeat(c.Times)
	if c.PastNoise != nil {
		c.PastNoise, c.Z = p.PastNoise(c.PastNoise), p.Repeat(c.Z)
		c.Past = mask.AddNoise(c.Past, c.Z, c.PastNoise)
	}
	return c
}

// CondInputs takes apart the inputs of a program that [Cond.Flatten] listed.
func (m *Model) CondInputs(keys []string, inputs []*Node) Cond[*Node] {
	c := Unflatten(m, keys, inputs)
	if len(keys) > 0 {
		c.cache = network.FullCache(c.Cached)
	}
	return c
}

// Cache builds the values that the network computes from the conditioning frames alone, with the
// weights under scope, in the order of [Model.CacheKeys]. All steps of a window share them.
func (m *Model) Cache(b *nn.Builder, scope *model.Scope, cond Cond[*Node]) []*Node {
	g, batch := cond.Visible.Graph(), cond.Visible.Shape().Dimensions[0]
	cond.cache = network.NewCache()
	// This builds the whole network, for noisy frames of zeros. A program computes only what its
	// results depend on, which here is the cache.
	x, level := Zeros(g, m.ClipShape(batch, m.Frames.Current)), Zeros(g, nn.F32(batch, 1, diffusion.Columns))
	m.predict(b, scope, x, diffusion.TableNodes(level), cond, nil)
	values := cond.cache.Values()
	var made []*Node
	for _, key := range cond.cache.Keys() {
		made = append(made, values[key])
	}
	return made
}
