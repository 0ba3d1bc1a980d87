package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/devices"
	"mcvd/models/sampler"
)

// batch is the videos that are generated together. Its frames are [batch, height, width, channels],
// the same frame of each video.
type batch struct {
	*Generator
	job      Job // of the videos; none where windows have no numbers
	cases    []Case
	size     int             // values of a video's frame
	window   int             // how many windows are complete
	before   []float32       // the block of the window before, if the next one starts from it
	rolling  sampler.Rolling // the block of the window before, if the next one goes on with its noisy frames
	progress func()
}

func (g *Generator) newBatch(task Task, group []Case, progress func()) (*batch, error) {
	b := &batch{Generator: g, size: g.model.ClipShape(1, 1).Size(), progress: progress}
	check := func(name string, visible bool, c clips.Clip, want int) error {
		switch {
		case visible && c.Frames != want:
			return fmt.Errorf("%v: %d %s frames, want the model's %d", task, c.Frames, name, want)
		case visible && c.FrameSize() != b.size:
			return fmt.Errorf("%v: a %s frame has %d values, want %d", task, name, c.FrameSize(), b.size)
		}
		return nil
	}
	for _, c := range group {
		if err := errors.Join(check("past", task.Past, c.Past, g.wide.Past), check("future", task.Future, c.Future, g.wide.Future)); err != nil {
			return nil, err
		}
	}
	for len(b.cases) < g.batch {
		b.cases = append(b.cases, group[min(len(b.cases), len(group)-1)])
	}
	return b, nil
}

// frames gathers the n conditioning frames of all videos. They are blank if there are none.
func (b *batch) frames(n int, of func(Case) clips.Clip) []Frame {
	frames := make([]Frame, n)
	for k := range frames {
		frames[k] = make(Frame, 0, len(b.cases)*b.size)
		for _, c := range b.cases {
			if given := of(c); given.Frames > 0 {
				frames[k] = append(frames[k], clips.ToFloat(given.Slice(k, k+1))...)
			} else {
				frames[k] = append(frames[k], make(Frame, b.size)...)
			}
		}
	}
	return frames
}

// given are the given frames of all videos, by their numbers. Where a task has no past or no future,
// they are blank.
func (b *batch) given(j Job) (map[int]Frame, error) {
	all := map[int]Frame{}
	for _, c := range b.cases {
		if c.Given.Frames != len(j.Given) || c.Given.Frames > 0 && c.Given.FrameSize() != b.size {
			return nil, fmt.Errorf("%d given frames of %d values, want %d of %d", c.Given.Frames, c.Given.FrameSize(), len(j.Given), b.size)
		}
	}
	f := b.wide
	for k, frame := range b.frames(len(j.Given), Case.given) {
		all[j.Given[k]] = frame
	}
	for k, frame := range b.frames(f.Past, Case.past) {
		all[k-f.Past] = frame
	}
	for k, frame := range b.frames(f.Future, Case.future) {
		all[j.Frames+k] = frame
	}
	return all, nil
}

// block samples the frames that a window makes. given has a frame for each conditioning slot, nil if
// it is hidden. The frames of a window without numbers follow each other one by one.
func (b *batch) block(ctx context.Context, w Window, given []Frame) ([]Frame, error) {
	times := b.times(w.narrow(b.wide, b.model.Frames))
	if w.Among != nil {
		given, times = b.chosen(w, given)
	}
	known, given := within(given, b.wide, b.model.Frames, nil)
	inputs, err := b.known(known)
	if err != nil {
		return nil, err
	}
	defer devices.Free(inputs)
	cond, err := b.cond(given, times)
	if err != nil {
		return nil, err
	}
	defer devices.Free(cond)
	cond = slices.Concat(inputs, cond)
	var x *tensors.Tensor
	if w.Rolls > 0 {
		x, err = b.roll(ctx, w.Rolls, cond)
	} else {
		start, steps, skip := b.begin(known)
		x, err = b.loop.Run(ctx, start, cond, steps, func(step int) *tensors.Tensor { return b.noise(1 + skip + step) }, b.evaluated)
	}
	if err != nil {
		return nil, err
	}
	b.window++
	if w.Rolls == 0 { // else the next window goes on with it
		defer x.FinalizeAll()
	}
	if err := b.remember(x); err != nil {
		return nil, err
	}
	made, err := b.split(x)
	if err != nil {
		return nil, err
	}
	first := b.wide.Past - b.model.Frames.Past
	return made[first : first+b.wide.Current], nil
}

// roll takes the block over from the window before, and makes the turns after which its first frames, by
// which it then moves on, are clean.
func (b *batch) roll(ctx context.Context, by int, cond []devices.Value) (x *tensors.Tensor, err error) {
	block, moved := sampler.Rolling{b.noise(0)}, b.rolling != nil
	if moved {
		if block, err = b.rolling.Move(by, block[0]); err != nil {
			return nil, err
		}
	}
	steps := b.plans.whole
	from, to := b.lag.Rolled(steps, by, moved)
	b.rolling, err = b.loop.Roll(ctx, block, from, to, cond, steps, func(turn int) *tensors.Tensor { return b.noise(1 + turn) }, b.evaluated)
	if err != nil {
		return nil, err
	}
	return b.rolling[0], nil
}

// evaluated reports the network evaluations of a prediction.
func (b *batch) evaluated() {
	for range b.guide.Evaluations() {
		if b.progress != nil {
			b.progress()
		}
	}
}

// cond is the condition of a window's steps: frames, visibility, times, noise, and what the network
// computes from them once a window. times are those of [batch.times].
func (b *batch) cond(given []Frame, times []float32) ([]devices.Value, error) {
	past, future := given[:b.model.Frames.Past], given[b.model.Frames.Past:]
	noise, z := b.pastNoise(past, times)
	inputs := models.Cond[*tensors.Tensor]{Past: b.join(past), Future: b.join(future), Visible: b.visible(given), Times: b.timed(times), PastNoise: noise, Z: z}.Flatten(b.model, nil)
	var cond []devices.Value
	for _, t := range inputs {
		v, err := b.devices.Put(t, devices.Parts)
		if err != nil {
			devices.Free(cond)
			return nil, fmt.Errorf("conditioning: %w", err)
		}
		cond = append(cond, v)
	}
	if b.cache == nil {
		return cond, nil
	}
	made, err := b.cache.Call(cond...)
	if err != nil {
		devices.Free(cond)
		return nil, fmt.Errorf("conditioning: %w", err)
	}
	c := models.Unflatten(b.model, nil, cond)
	c.Cached = map[string]devices.Value{}
	for i, key := range b.keys {
		c.Cached[key] = made[i]
	}
	return c.Flatten(b.model, b.keys), nil
}

// visible is a mask, [batch, past+future], the same for all videos.
func (b *batch) visible(given []Frame) *tensors.Tensor {
	v := make([]float32, 0, len(b.cases)*len(given))
	for range b.cases {
		for _, f := range given {
			if f != nil {
				v = append(v, 1)
			} else {
				v = append(v, 0)
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(v, len(b.cases), len(given))
}

// join makes [batch, frames, height, width, channels] of frames; those that are nil are zeros.
func (b *batch) join(frames []Frame) *tensors.Tensor {
	values := make([]float32, len(b.cases)*len(frames)*b.size)
	for k, f := range frames {
		for i := range len(f) / b.size {
			copy(values[(i*len(frames)+k)*b.size:], f[i*b.size:(i+1)*b.size])
		}
	}
	return tensors.FromFlatDataAndDimensions(values, b.model.ClipShape(len(b.cases), len(frames)).Dimensions...)
}

// split undoes join.
func (b *batch) split(x *tensors.Tensor) ([]Frame, error) {
	n := b.model.Frames.Current
	frames := make([]Frame, n)
	for k := range frames {
		frames[k] = make(Frame, len(b.cases)*b.size)
	}
	finite := true
	err := tensors.ConstFlatData(x, func(values []float32) {
		for _, v := range values {
			finite = finite && !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
		}
		for i := range b.cases {
			for k := range frames {
				copy(frames[k][i*b.size:(i+1)*b.size], values[(i*n+k)*b.size:])
			}
		}
	})
	if err == nil && !finite {
		err = errors.New("the generated frames are not finite: the weights are broken, or the sampler diverges (another sampler or number of steps may not)")
	}
	return frames, err
}

// noise is standard normal, shaped like the current frames. Draw 0 starts a window, and draw 1+i is
// that of step i.
func (b *batch) noise(draw int) *tensors.Tensor { return b.tensor(b.normal(draw)) }

// tensor makes a block of its values.
func (b *batch) tensor(values []float32) *tensors.Tensor {
	shape := b.model.ClipShape(len(b.cases), b.model.Frames.Current)
	return tensors.FromFlatDataAndDimensions(values, shape.Dimensions...)
}

// normal is the values of noise.
func (b *batch) normal(draw int) []float32 { return b.draws(draw, b.model.Frames.Current) }

// draws is the values of standard normal noise for that many frames of each video.
func (b *batch) draws(draw, frames int) []float32 {
	n := frames * b.size
	values := make([]float32, len(b.cases)*n)
	var drawing sync.WaitGroup
	for i, c := range b.cases {
		drawing.Go(func() { b.draw(c, uint64(b.window), uint64(draw), values[i*n:(i+1)*n]) })
	}
	drawing.Wait()
	return values
}

// hostNoise draws noise on the host, so that every backend generates the same videos from a seed.
func hostNoise(seed uint64) func(c Case, window, number uint64, values []float32) {
	return func(c Case, window, number uint64, values []float32) {
		rng := rand.New(rand.NewChaCha8(noiseKey(seed, uint64(c.Clip), uint64(c.Trajectory), window<<32|number)))
		for i := range values {
			values[i] = float32(rng.NormFloat64())
		}
	}
}

// noiseKey puts four numbers side by side.
func noiseKey(numbers ...uint64) (key [32]byte) {
	for i, n := range numbers {
		for k := range 8 {
			key[8*i+k] = byte(n >> (8 * k))
		}
	}
	return key
}
