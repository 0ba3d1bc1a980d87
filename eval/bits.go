package eval

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/likelihood"
	"mcvd/models/nn"
	"mcvd/models/sampler"
)

// Bits are how many bits per dimension a model needs for a block of real frames, given the frames
// that its task sees.
type Bits struct {
	likelihood.Bound
	Exact float64
}

// Windows that no video has: the noise of bits is theirs, so it differs from that of generated frames.
const (
	boundWindow = 1<<31 + iota
	exactWindow
)

// Bits computes the bits of the real block of each case: the bound through the levels that c, the
// settings of sampling, visits, and exactly with that many steps of the ODE. Cases run in batches. The
// denoiser is the network's own: in float32, without guidance, which the generator must not have
// either, and told nothing of its predictions before.
func (g *Generator) Bits(ctx context.Context, store *model.Store, c configs.Sampler, task Task, cases []Case, steps int) ([]Bits, error) {
	levels, err := sampler.Levels(g.model.Schedule, c)
	if err != nil {
		return nil, err
	}
	l, err := likelihood.New(g.devices, store, g.model.Process, func(scope *model.Scope, cond []*graph.Node) sampler.Denoiser {
		return g.model.Denoiser(nn.NewBuilder(g.devices.Backend()), scope.At(models.EMAScope), g.model.CondInputs(g.keys, cond))
	})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	var all []Bits
	for first := 0; first < len(cases); first += g.batch {
		group := cases[first:min(first+g.batch, len(cases))]
		b, err := g.newBatch(task, group, nil)
		if err != nil {
			return nil, err
		}
		bits, err := b.bits(ctx, l, levels, c.Clip, steps)
		if err != nil {
			return nil, fmt.Errorf("clip %d: %w", group[0].Clip, err)
		}
		all = append(all, bits[:len(group)]...)
	}
	return all, nil
}

// bits are those of a batch.
func (b *batch) bits(ctx context.Context, l *likelihood.Likelihood, levels []diffusion.Level, clip bool, steps int) ([]Bits, error) {
	f := b.model.Frames
	for _, c := range b.cases {
		if c.Real.Frames != f.Current || c.Real.FrameSize() != b.size {
			return nil, fmt.Errorf("%d real frames of %d values, want a block, %d of %d", c.Real.Frames, c.Real.FrameSize(), f.Current, b.size)
		}
	}
	given := append(b.hidden(f.Past, Case.past), b.hidden(f.Future, Case.future)...)
	cond, err := b.cond(given)
	if err != nil {
		return nil, err
	}
	defer devices.Free(cond)
	x0 := b.join(b.frames(f.Current, func(c Case) clips.Clip { return c.Real }))
	defer x0.FinalizeAll()
	b.window = boundWindow
	bounds, err := l.Bound(ctx, x0, cond, levels, clip, b.normal)
	if err != nil {
		return nil, err
	}
	b.window = exactWindow
	exact, err := l.Exact(ctx, x0, cond, steps, b.normal)
	if err != nil {
		return nil, err
	}
	all := make([]Bits, len(b.cases))
	for i := range all {
		all[i] = Bits{bounds[i], exact[i]}
	}
	return all, nil
}

// hidden are the n conditioning frames of all videos, nil if the task has none.
func (b *batch) hidden(n int, of func(Case) clips.Clip) []Frame {
	if of(b.cases[0]).Frames == 0 {
		return make([]Frame, n)
	}
	return b.frames(n, of)
}
