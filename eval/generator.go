package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/devices"
	"mcvd/models/nn"
	"mcvd/models/sampler"
)

// Generator makes videos with a trained model: a sampler bound to the averaged weights, driven by [Rollout].
type Generator struct {
	model   *models.Model
	loop    *sampler.Loop
	devices *devices.Devices
	cache   *devices.Program // makes what the steps of a window share; nil if the network shares nothing
	keys    []string         // of what it makes
	plans   plans
	batch   int
	draw    func(r Request, window, number uint64, values []float32) // fills values with a draw of standard normal noise, for several requests at a time
}

// Frame is one frame, [height, width, channels] in [-1, 1].
type Frame = []float32

// Request is one video to be made.
type Request struct {
	// Clip and Trajectory tell the requests of a seed apart: a video's noise is a function of (seed, Clip, Trajectory), so it
	// depends neither on the batch size nor on what else is made.
	Clip, Trajectory uint64
	// Past and Future are the conditioning frames, as many as the model takes; nil for those that the task hides.
	Past, Future []Frame
}

// NewGenerator makes a generator with the averaged weights in store, for so many videos at a time, which so many devices share (0 for
// all): then the former must be a multiple of the latter.
func NewGenerator(backend compute.Backend, store *model.Store, m *models.Model, c configs.Sampler, seed uint64, batch, deviceCount int) (*Generator, error) {
	if batch < 1 {
		return nil, fmt.Errorf("batch of %d videos, want 1 or more", batch)
	}
	d, err := devices.Open(backend, deviceCount, batch)
	if err != nil {
		return nil, fmt.Errorf("sampling: %w", err)
	}
	s, err := sampler.New(c)
	if err != nil {
		return nil, err
	}
	plans, err := newPlans(s, m.Schedule, c)
	if err != nil {
		return nil, err
	}
	precision, err := nn.Precision(backend, c.Precision)
	if err != nil {
		return nil, fmt.Errorf("sampler.%w", err)
	}
	builder := func() *nn.Builder {
		b := nn.NewBuilder(backend)
		b.Compute = precision
		return b
	}
	keys, err := m.CacheKeys(backend, store.Scope("/"+models.EMAScope), batch)
	if err != nil {
		return nil, err
	}
	loop, err := sampler.NewLoop(d, store, s, m.Process, func(scope *model.Scope, cond []*graph.Node) sampler.Denoiser {
		return m.Denoiser(builder(), scope.At(models.EMAScope), m.CondInputs(keys, cond))
	})
	if err != nil {
		return nil, err
	}
	g := &Generator{model: m, loop: loop, devices: d, keys: keys, plans: plans, batch: batch, draw: hostNoise(seed)}
	if len(keys) > 0 {
		cache, err := model.NewExec(backend, store, func(scope *model.Scope, cond []*graph.Node) []*graph.Node {
			return m.Cache(builder(), scope.At(models.EMAScope), m.CondInputs(nil, cond))
		})
		if err == nil {
			g.cache, err = d.Program(cache.WithName("conditioning"), devices.Parts, devices.Parts)
		}
		if err != nil {
			loop.Close()
			return nil, fmt.Errorf("conditioning: %w", err)
		}
	}
	return g, nil
}

// Close frees the compiled programs.
func (g *Generator) Close() {
	g.loop.Close()
	if g.cache != nil {
		g.cache.Close()
	}
}

// NFE is the number of network evaluations that [Generator.Run] needs for a batch of the job's videos.
func (g *Generator) NFE(j Job) (int, error) {
	windows, err := j.List(g.model.Frames)
	if err != nil {
		return 0, err
	}
	nfe, number := 0, 0
	for range windows {
		nfe += sampler.NFE(g.plans.of(number))
		number++
	}
	return nfe, nil
}

// Run makes the job's frames for each request and hands them out as they are made: emit gets the index of the request and
// the number of the frame, see [Rollout]. Requests run in batches; the last batch is filled up by repeating its last
// request, because each batch size is compiled anew. progress, if not nil, is called after each network evaluation of a batch.
func (g *Generator) Run(ctx context.Context, j Job, requests []Request, emit func(request, frame int, made Frame) error, progress func()) error {
	windows, err := j.List(g.model.Frames)
	if err != nil {
		return err
	}
	for first := 0; first < len(requests); first += g.batch {
		group := requests[first:min(first+g.batch, len(requests))]
		b, err := g.newBatch(j.Task, group, progress)
		if err != nil {
			return err
		}
		f := g.model.Frames
		err = Rollout(windows, b.frames(f.Past, past), b.frames(f.Future, future), j.Frames,
			func(_ Window, given []Frame) ([]Frame, error) { return b.block(ctx, given) },
			func(frame int, made Frame) error {
				for i := range group {
					if err := emit(first+i, frame, made[i*b.size:(i+1)*b.size]); err != nil {
						return err
					}
				}
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// batch is the videos that are made together. Its frames are [batch, height, width, channels], the same frame of each video.
type batch struct {
	*Generator
	requests []Request
	size     int       // values of a video's frame
	window   int       // how many windows are made
	before   []float32 // what the window before made, if the next one starts from it
	progress func()
}

func (g *Generator) newBatch(task Task, group []Request, progress func()) (*batch, error) {
	b := &batch{Generator: g, size: g.model.ClipShape(1, 1).Size(), progress: progress}
	check := func(name string, visible bool, frames []Frame, want int) error {
		if !visible {
			return nil
		}
		if len(frames) != want {
			return fmt.Errorf("%v: %d %s frames, want the model's %d", task, len(frames), name, want)
		}
		for _, f := range frames {
			if len(f) != b.size {
				return fmt.Errorf("%v: a %s frame has %d values, want %d", task, name, len(f), b.size)
			}
		}
		return nil
	}
	for _, r := range group {
		if err := check("past", task.Past, r.Past, g.model.Frames.Past); err != nil {
			return nil, err
		}
		if err := check("future", task.Future, r.Future, g.model.Frames.Future); err != nil {
			return nil, err
		}
	}
	for len(b.requests) < g.batch {
		b.requests = append(b.requests, group[min(len(b.requests), len(group)-1)])
	}
	return b, nil
}

func past(r Request) []Frame   { return r.Past }
func future(r Request) []Frame { return r.Future }

// frames gathers the n conditioning frames of all requests; those that are not given are blank.
func (b *batch) frames(n int, of func(Request) []Frame) []Frame {
	frames := make([]Frame, n)
	for k := range frames {
		frames[k] = make(Frame, len(b.requests)*b.size)
		for i, r := range b.requests {
			if given := of(r); given != nil {
				copy(frames[k][i*b.size:], given[k])
			}
		}
	}
	return frames
}

// block samples the current frames of a window. given has one frame for each conditioning slot, nil if it is hidden.
func (b *batch) block(ctx context.Context, given []Frame) ([]Frame, error) {
	cond, err := b.cond(given)
	if err != nil {
		return nil, err
	}
	defer devices.Free(cond)
	start, steps, skip := b.begin()
	x, err := b.loop.Run(ctx, start, cond, steps, func(step int) *tensors.Tensor { return b.noise(1 + skip + step) }, b.progress)
	if err != nil {
		return nil, err
	}
	b.window++
	defer x.FinalizeAll()
	if err := b.remember(x); err != nil {
		return nil, err
	}
	return b.split(x)
}

// cond is what the steps of a window are given: frames, visibility, and what the network makes of both once a window.
func (b *batch) cond(given []Frame) ([]devices.Value, error) {
	past, future := given[:b.model.Frames.Past], given[b.model.Frames.Past:]
	inputs := models.Cond[*tensors.Tensor]{Past: b.join(past), Future: b.join(future), Visible: b.visible(given)}.Flatten(b.model.Frames, nil)
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
	c := models.Unflatten(b.model.Frames, nil, cond)
	c.Cached = map[string]devices.Value{}
	for i, key := range b.keys {
		c.Cached[key] = made[i]
	}
	return c.Flatten(b.model.Frames, b.keys), nil
}

// visible is a mask, [batch, past+future], the same for all videos.
func (b *batch) visible(given []Frame) *tensors.Tensor {
	v := make([]float32, 0, len(b.requests)*len(given))
	for range b.requests {
		for _, f := range given {
			if f != nil {
				v = append(v, 1)
			} else {
				v = append(v, 0)
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(v, len(b.requests), len(given))
}

// join makes [batch, frames, height, width, channels] of frames; those that are nil are zeros.
func (b *batch) join(frames []Frame) *tensors.Tensor {
	values := make([]float32, len(b.requests)*len(frames)*b.size)
	for k, f := range frames {
		for i := range len(f) / b.size {
			copy(values[(i*len(frames)+k)*b.size:], f[i*b.size:(i+1)*b.size])
		}
	}
	return tensors.FromFlatDataAndDimensions(values, b.model.ClipShape(len(b.requests), len(frames)).Dimensions...)
}

// split undoes join.
func (b *batch) split(x *tensors.Tensor) ([]Frame, error) {
	n := b.model.Frames.Current
	frames := make([]Frame, n)
	for k := range frames {
		frames[k] = make(Frame, len(b.requests)*b.size)
	}
	finite := true
	err := tensors.ConstFlatData(x, func(values []float32) {
		for _, v := range values {
			finite = finite && !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
		}
		for i := range b.requests {
			for k := range frames {
				copy(frames[k][i*b.size:(i+1)*b.size], values[(i*n+k)*b.size:])
			}
		}
	})
	if err == nil && !finite {
		err = errors.New("the frames made are not finite: the weights are broken")
	}
	return frames, err
}

// noise is standard normal, shaped like the current frames; draw 0 is what a window starts from, draw 1+i is of step i.
func (b *batch) noise(draw int) *tensors.Tensor { return b.tensor(b.normal(draw)) }

// tensor makes a block of its values.
func (b *batch) tensor(values []float32) *tensors.Tensor {
	shape := b.model.ClipShape(len(b.requests), b.model.Frames.Current)
	return tensors.FromFlatDataAndDimensions(values, shape.Dimensions...)
}

// normal is the values of noise.
func (b *batch) normal(draw int) []float32 {
	n := b.model.Frames.Current * b.size
	values := make([]float32, len(b.requests)*n)
	var drawing sync.WaitGroup
	for i, r := range b.requests {
		drawing.Go(func() { b.draw(r, uint64(b.window), uint64(draw), values[i*n:(i+1)*n]) })
	}
	drawing.Wait()
	return values
}

// hostNoise draws noise. It comes from the host, so that every backend makes the same videos of a seed.
func hostNoise(seed uint64) func(r Request, window, number uint64, values []float32) {
	return func(r Request, window, number uint64, values []float32) {
		rng := rand.New(rand.NewChaCha8(noiseKey(seed, r.Clip, r.Trajectory, window<<32|number)))
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
