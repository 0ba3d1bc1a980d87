package eval

import (
	"context"
	"fmt"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval/metric"
	"mcvd/models"
)

// Evaluation generates videos of a data set's clips and scores them by metrics, next to baselines,
// part by part.
//
// A clip consists of the past, if the task sees it, the frames to be generated, and the future, if
// the task sees it. The generated frames, or a baseline's, are compared with the real ones. Metrics
// of pairs score each video. Metrics of sets score all clips as a whole, with all their
// trajectories. Videos of the task generate have no real counterparts, so metrics of pairs are
// skipped, and metrics of sets compare them with the test clips. Metrics of the model say how likely it
// finds the real frames.
type Evaluation struct {
	Protocol
	Cache *Cache // of features; nil for none
	// Likelihood is needed if one of the metrics is of the model; see [metric.Info.OfModel].
	Likelihood *Likelihood
	generator  *Generator
	job        Job
	// generate makes the videos of the cases, of each its frames, with a seed of the noise: those of
	// the generator, but in tests.
	generate func(ctx context.Context, seed uint64, cases []Case, progress func()) ([]Frames, error)
	source   Source
	metrics  []metric.Opened
	header   Header
}

// NewEvaluation prepares an evaluation. It refuses one that can't be carried out. Metrics that can't
// score its videos are skipped: see [Protocol.Videos] and [metric.Fit].
func NewEvaluation(g *Generator, ds clips.Dataset, p Protocol, metrics []metric.Opened) (*Evaluation, error) {
	p, err := p.Complete(g.wide)
	if err != nil {
		return nil, err
	}
	j, err := p.Job()
	if err != nil {
		return nil, err
	}
	if p.Clips < 1 || p.Trajectories < 1 {
		return nil, fmt.Errorf("evaluation of %d clips and %d trajectories, want 1 or more of each", p.Clips, p.Trajectories)
	}
	source, err := p.source(ds, j, g.wide)
	if err != nil {
		return nil, err
	}
	nfe, err := g.NFE(j)
	if err != nil {
		return nil, err
	}
	p.Windows = j.Windows
	h := Header{Protocol: p, Videos: ds.Len(), NFE: nfe, NFEPerFrame: float64(nfe) / float64(p.Frames)}
	if j.Task.Past {
		h.Past = g.wide.Past
	}
	if j.Task.Future {
		h.Future = g.wide.Future
	}
	metrics = metric.Fit(metrics, p.Videos(g.model, g.wide))
	for _, m := range metrics {
		h.Metrics = append(h.Metrics, m.Info)
	}
	generate := func(ctx context.Context, seed uint64, cases []Case, progress func()) ([]Frames, error) {
		return g.seeded(seed).Videos(ctx, j, cases, progress)
	}
	return &Evaluation{Protocol: p, generator: g, job: j, generate: generate, source: source, metrics: metrics, header: h}, nil
}

// Videos are what a completed protocol has to score of a model, whose task it can do with windows of
// those frames.
func (p Protocol) Videos(m *models.Model, f configs.Frames) metric.Videos {
	task, _ := ParseTask(p.Task) // checked by Complete
	frame := m.ClipShape(1, 1).Dimensions[2:]
	return metric.Videos{
		Frames: p.Frames, Given: ClipFrames(task, f, 0),
		Height: frame[0], Width: frame[1], Channels: frame[2],
		Clips: p.Clips, Paired: task != Generate, Block: m.Frames.Current,
	}
}

// source cuts the protocol's clips.
func (p Protocol) source(ds clips.Dataset, j Job, f configs.Frames) (Source, error) {
	frames := ClipFrames(j.Task, f, j.Frames)
	places, err := p.places(ds, frames)
	if err != nil {
		return nil, err
	}
	return cutAt(ds, j, f, frames, true, func(i int) data.At {
		if places != nil {
			return places[i]
		}
		return p.at(ds, i, frames)
	}), nil
}

// Header is that of the report, without what only the caller knows, such as the run and its
// checkpoint.
func (e *Evaluation) Header() Header { return e.header }

// Parts divides the clips into parts. Each but the last has as few clips as fill whole batches with
// their trajectories. So a batch is the same whichever parts are evaluated.
func (e *Evaluation) Parts() (parts []Range) {
	size := e.generator.batch / gcd(e.generator.batch, e.Trajectories)
	for first := 0; first < e.Clips; first += size {
		parts = append(parts, Range{first, min(first+size, e.Clips)})
	}
	return parts
}

func gcd(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// Evaluations is the number of network evaluations of batches that the parts need.
func (e *Evaluation) Evaluations(parts []Range) (total int, err error) {
	for _, part := range parts {
		n, err := e.generator.Evaluations(e.job, (part.End-part.First)*e.Trajectories)
		if err != nil {
			return 0, err
		}
		total += n * len(e.noiseSeeds())
	}
	return total, nil
}
