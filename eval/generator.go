package eval

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/devices"
	"mcvd/models/guidance"
	"mcvd/models/nn"
	"mcvd/models/sampler"
)

// Generator generates videos with a trained model: a sampler bound to the averaged weights, driven
// by [Rollout].
type Generator struct {
	model   *models.Model
	loop    *sampler.Loop
	lag     sampler.Lag
	devices *devices.Devices
	cache   *devices.Program // computes what the steps of a window share; nil if they share nothing
	keys    []string         // of what it computes
	plans   plans
	guide   *guidance.Plan
	wide    configs.Frames // of windows: the model's, widened by what the guidance gives
	batch   int
	draw    func(c Case, window, number uint64, values []float32) // fills values with a draw of standard normal noise, for several videos at a time
}

// Frame is one frame, [height, width, channels] in [-1, 1]. Frames are several, [frames, height,
// width, channels].
type (
	Frame  = []float32
	Frames = []float32
)

// NewGenerator makes a generator with the averaged weights in store. batch videos are generated at
// a time, on the given number of devices (0 for all), of which batch must be a multiple.
func NewGenerator(backend compute.Backend, store *model.Store, m *models.Model, c configs.Sampler, seed uint64, batch, deviceCount int) (*Generator, error) {
	if batch < 1 {
		return nil, fmt.Errorf("batch of %d videos, want 1 or more", batch)
	}
	if err := m.CheckGenerates(); err != nil {
		return nil, err
	}
	d, err := devices.Open(backend, deviceCount, batch)
	if err != nil {
		return nil, fmt.Errorf("sampling: %w", err)
	}
	s, err := sampler.New(c)
	if err != nil {
		return nil, err
	}
	if err := m.CheckSampler(c); err != nil {
		return nil, err
	}
	lag, err := sampler.NewLag(s, m.Schedule, c)
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
	guide, err := guidance.New(c.Guidance, m.Frames)
	if err != nil {
		return nil, err
	}
	if guide.Compares() && m.Second == nil || guide.Leads() && m.Classifier == nil {
		return nil, fmt.Errorf("sampler.guidance.name: %q, want another here: only commands that sample a run read its other checkpoint", c.Guidance.Name)
	}
	builder := func() *nn.Builder {
		b := nn.NewBuilder(backend)
		b.Compute = precision
		return b
	}
	keys, err := m.CacheKeys(backend, store.Scope("/"+models.EMAScope), batch*guide.Branches())
	if err != nil {
		return nil, err
	}
	loop, err := sampler.NewLoop(d, store, s, m.Process, m.Memory(guide), func(scope *model.Scope, inputs, memory []*graph.Node) sampler.Denoiser {
		known, cond := guidance.NewBlock(inputs[:guide.Inputs()]), inputs[guide.Inputs():]
		guided := m.Guided(builder(), scope.At(models.EMAScope), guide, models.Branches(guide, m.CondInputs(keys, cond)), known, memory)
		return known.Keep(sampler.Thresholded(guided, c.Threshold))
	})
	if err != nil {
		return nil, err
	}
	g := &Generator{model: m, loop: loop.Lagged(lag), lag: lag, devices: d, keys: keys, plans: plans, guide: guide, wide: guide.Widened(), batch: batch, draw: hostNoise(seed)}
	if len(keys) > 0 {
		cache, err := model.NewExec(backend, store, func(scope *model.Scope, cond []*graph.Node) []*graph.Node {
			return m.Cache(builder(), scope.At(models.EMAScope), models.Branches(guide, m.CondInputs(nil, cond)))
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

// seeded is the generator with another seed of the noise. The two share their programs.
func (g *Generator) seeded(seed uint64) *Generator {
	other := *g
	other.draw = hostNoise(seed)
	return &other
}

// Close frees the compiled programs.
func (g *Generator) Close() {
	g.loop.Close()
	if g.cache != nil {
		g.cache.Close()
	}
}

// NFE is the number of network evaluations that [Generator.Run] needs for one batch of the job's
// videos. Guidance makes several evaluations at once, and each counts.
func (g *Generator) NFE(j Job) (int, error) {
	windows, err := g.list(j)
	if err != nil {
		return 0, err
	}
	nfe, number := 0, 0
	for w := range windows {
		if w.Rolls > 0 {
			from, to := g.lag.Rolled(g.plans.whole, w.Rolls, number > 0)
			nfe += to - from
		} else {
			nfe += g.lag.NFE(g.plans.of(number), g.model.Frames.Current)
		}
		number++
	}
	return nfe * g.guide.Evaluations(), nil
}

// list is the job's windows, if the sampler can run them.
func (g *Generator) list(j Job) (iter.Seq[Window], error) {
	windows, err := j.List(g.wide)
	if err == nil {
		err = j.CheckTold(g.model.ToldTimes(), g.model.LevelPerFrame())
	}
	if err != nil {
		return nil, err
	}
	return windows, errors.Join(g.checkRolling(j), g.checkChoice(j))
}

// Evaluations is the number of network evaluations for that many of the job's videos. An evaluation
// of a whole batch counts once.
func (g *Generator) Evaluations(j Job, videos int) (int, error) {
	nfe, err := g.NFE(j)
	return nfe * ((videos + g.batch - 1) / g.batch), err
}

// Run generates the job's frames of each case and hands them out one by one. emit gets the index of
// the case and the number of the frame, see [Rollout]. Cases run in batches. The last batch is
// filled up by repeating its last case, because each batch size would be compiled anew. progress,
// if not nil, is called after each network evaluation of a batch.
func (g *Generator) Run(ctx context.Context, j Job, cases []Case, emit func(i, frame int, made Frame) error, progress func()) error {
	windows, err := g.list(j)
	if err != nil {
		return err
	}
	for first := 0; first < len(cases); first += g.batch {
		group := cases[first:min(first+g.batch, len(cases))]
		b, err := g.newBatch(j.Task, group, progress)
		if err != nil {
			return err
		}
		b.job = j
		given, err := b.given(j)
		if err != nil {
			return err
		}
		err = rollout(windows, given, j.Frames,
			func(w Window, given []Frame) ([]Frame, error) { return b.block(ctx, w, given) },
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

// Videos is [Generator.Run] with the videos as a whole, in memory: of each case its frames, one after
// the other.
func (g *Generator) Videos(ctx context.Context, j Job, cases []Case, progress func()) ([]Frames, error) {
	size := g.model.ClipShape(1, 1).Size()
	made := make([]Frames, len(cases))
	for i := range made {
		made[i] = make(Frames, max(j.Frames, 0)*size)
	}
	err := g.Run(ctx, j, cases, func(i, frame int, f Frame) error {
		copy(made[i][frame*size:], f)
		return nil
	}, progress)
	return made, err
}

// clip is frames as bytes, by a rule such as [clips.Byte].
func (g *Generator) clip(f Frames, rule func(float32) uint8) (clips.Clip, error) {
	m := g.model
	return clips.Quantize(f, len(f)/(m.Height*m.Width*m.Channels), m.Height, m.Width, m.Channels, rule)
}
