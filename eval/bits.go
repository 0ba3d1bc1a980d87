package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/eval/metric"
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

// ODESteps is with how many steps of the ODE the metric bits_exact is computed.
const ODESteps = 20

// Likelihood computes bits with the model of a generator.
type Likelihood struct {
	generator *Generator
	programs  *likelihood.Likelihood
	levels    []diffusion.Level
	variance  string
	clip      bool
}

// NewLikelihood prepares the bits of a generator's model, whose averaged weights are in store: those
// of the process through the levels that c, the settings of sampling, visits. variance is that of its
// steps, one of [sampler.Variances]; "" is learned if the model has learned it, and posterior
// otherwise. The denoiser is the
// network's own: in float32, without guidance, and told nothing of its predictions before. So it
// refuses a generator with guidance or of another precision.
func NewLikelihood(g *Generator, store *model.Store, c configs.Sampler, variance string) (*Likelihood, error) {
	if !c.Guidance.Off() || c.Precision != "float32" {
		return nil, fmt.Errorf("bits are of the network itself: want sampler.guidance.name: none and sampler.precision: float32, got %s and %s",
			c.Guidance.Name, c.Precision)
	}
	switch learned := g.model.LearnsVariance(); {
	case variance == "" && learned:
		variance = sampler.Learned
	case variance == "":
		variance = sampler.Posterior
	case variance == sampler.Learned && !learned:
		return nil, errors.New("the variance learned: the model has none, want posterior or beta, or a model that was trained with diffusion.variance: learned")
	}
	c.Start = 0
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
	return &Likelihood{g, l, levels, variance, c.Clip}, nil
}

// Close frees the compiled programs.
func (l *Likelihood) Close() { l.programs.Close() }

// Seeded is the likelihood with another seed of the noise. The two share their programs.
func (l *Likelihood) Seeded(seed uint64) *Likelihood {
	other := *l
	other.generator = l.generator.seeded(seed)
	return &other
}

// Bits are those of the real block of each case: the bound, and exactly with that many steps of the
// ODE, unless steps is 0. Cases run in batches.
func (l *Likelihood) Bits(ctx context.Context, task Task, cases []Case, steps int) ([]Bits, error) {
	var all []Bits
	for first := 0; first < len(cases); first += l.generator.batch {
		group := cases[first:min(first+l.generator.batch, len(cases))]
		b, err := l.generator.newBatch(task, group, nil)
		if err != nil {
			return nil, err
		}
		bits, err := b.bits(ctx, l, steps)
		if err != nil {
			return nil, fmt.Errorf("clip %d: %w", group[0].Clip, err)
		}
		all = append(all, bits[:len(group)]...)
	}
	return all, nil
}

// bits are those of a batch.
func (b *batch) bits(ctx context.Context, l *Likelihood, steps int) ([]Bits, error) {
	f := b.model.Frames
	for _, c := range b.cases {
		if c.Real.Frames != f.Current || c.Real.FrameSize() != b.size {
			return nil, fmt.Errorf("%d real frames of %d values, want a block, %d of %d", c.Real.Frames, c.Real.FrameSize(), f.Current, b.size)
		}
	}
	given := append(b.hidden(f.Past, Case.past), b.hidden(f.Future, Case.future)...)
	cond, err := b.cond(given, nil)
	if err != nil {
		return nil, err
	}
	defer devices.Free(cond)
	x0 := b.join(b.frames(f.Current, func(c Case) clips.Clip { return c.Real }))
	defer x0.FinalizeAll()
	b.window = boundWindow
	bounds, err := l.programs.Bound(ctx, x0, cond, l.levels, l.variance, l.clip, b.normal)
	if err != nil {
		return nil, err
	}
	all := make([]Bits, len(b.cases))
	for i := range all {
		all[i].Bound = bounds[i]
	}
	if steps == 0 {
		return all, nil
	}
	b.window = exactWindow
	exact, err := l.programs.Exact(ctx, x0, cond, steps, b.normal)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Exact = exact[i]
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

// ofModel are the values of the metrics whose Info.OfModel is set.
var ofModel = map[string]func(Bits) float64{
	"bits":       func(b Bits) float64 { return b.Total() },
	"bits_exact": func(b Bits) float64 { return b.Exact },
}

// likely scores the real blocks of the part's clips by the model itself, and gives each of a method's
// videos the score of its clip.
func (p *scoring) likely(ctx context.Context, m metric.Opened, key FeatureKey, made *videos) ([]metric.Score, error) {
	if key.Method != modelMethod {
		return skipped("only a model gives frames a probability", len(made.cases)), nil
	}
	bits, ok := p.bits[key.Seed]
	if !ok {
		if p.Likelihood == nil {
			return nil, errors.New("no likelihood was prepared")
		}
		steps := 0
		if slices.ContainsFunc(p.metrics, func(m metric.Opened) bool { return m.Name == "bits_exact" && m.Skipped == "" }) {
			steps = ODESteps
		}
		var err error
		if bits, err = p.Likelihood.Seeded(key.Seed).Bits(ctx, p.job.Task, p.real.cases, steps); err != nil {
			return nil, err
		}
		p.bits[key.Seed] = bits
	}
	scores := make([]metric.Score, len(made.cases))
	for i, c := range made.cases {
		scores[i].Value = ofModel[m.Name](bits[p.at[c.Clip]])
	}
	return scores, nil
}
