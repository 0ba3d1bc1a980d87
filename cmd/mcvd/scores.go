package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/eval/metric"
	"mcvd/models"
	"mcvd/train/ranks"
)

// trainingScores scores videos that are generated while a run is trained, as its train.scores says.
// Metrics and the generator are opened anew every time, so that they take no memory between.
type trainingScores struct {
	backend  compute.Backend
	model    *models.Model
	config   *configs.Config
	dataset  clips.Dataset
	protocol eval.Protocol
	cache    *eval.Cache // of features of real clips, which are the same every time
	ranks    *ranks.Ranks
	alive    func() // called after each evaluation of the network for a batch
}

// newTrainingScores refuses scores that can't be computed, before anything is trained. It is nil if
// there are to be none.
func newTrainingScores(ctx context.Context, b compute.Backend, m *models.Model, c *configs.Config, cache *eval.Cache, log *slog.Logger, r *ranks.Ranks) (_ *trainingScores, err error) {
	if c.Train.Scores.Every == 0 {
		return nil, nil
	}
	s := &trainingScores{backend: b, model: m, config: c, cache: cache, ranks: r}
	wide := seenBy(c, c.Sampler.Guidance).Frames
	task := eval.MainTask(wide)
	s.protocol, err = eval.Protocol{
		Name: eval.DefaultProtocol, Task: task.String(), Clips: c.Train.Scores.Clips, Trajectories: 1,
		Frames: c.Train.Scores.Frames, Split: clips.Valid, Seed: c.Seed,
	}.Complete(wide)
	if err != nil {
		return nil, fmt.Errorf("train.scores: %w", err)
	}
	metrics, err := s.open()
	if err != nil {
		return nil, err
	}
	if err := metric.Close(metrics); err != nil {
		return nil, err
	}
	s.dataset, err = data.Open(ctx, c, clips.Valid, eval.ClipFrames(task, wide, s.protocol.Frames), log)
	return s, err
}

// open opens the metrics. All must be able to score the videos.
func (s *trainingScores) open() ([]metric.Opened, error) {
	names := s.config.Train.Scores.Metrics
	if len(names) == 0 {
		return nil, errors.New("train.scores.metrics: an empty list, want at least one metric, or train.scores.every: 0")
	}
	metrics, err := metric.Open(names, metric.Needs{Backend: s.backend, Weights: metricsFolder()})
	if err != nil {
		return nil, fmt.Errorf("train.scores.%w", err)
	}
	metrics = metric.Fit(metrics, s.protocol.Videos(s.model, seenBy(s.config, s.config.Sampler.Guidance).Frames))
	if err := metric.Refuse(metrics, true); err != nil {
		return nil, errors.Join(fmt.Errorf("train.scores: %w", err), metric.Close(metrics))
	}
	return metrics, nil
}

// of scores the averaged weights in store: the mean over clips of metrics of pairs, and the value of
// metrics of sets.
func (s *trainingScores) of(ctx context.Context, store *model.Store) (map[string]float64, error) {
	e, closing, err := s.evaluation(store)
	defer func() {
		for _, c := range slices.Backward(closing) {
			c()
		}
	}()
	if _, err := ranks.All(s.ranks, true, err); err != nil {
		return nil, err
	}
	parts, err := s.parts(ctx, e)
	if err != nil {
		return nil, err
	}
	report, err := eval.Sum(e.Header(), parts, metric.Comparisons())
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for name, score := range report.Results[0].Scores { // the model's
		switch {
		case score.Set != nil:
			values[name] = score.Set.Value
		case score.Mean.N > 0:
			values[name] = score.Mean.Mean
		default:
			values[name] = math.NaN()
		}
	}
	return values, nil
}

// parts evaluates all clips. Ranks share them, and all get the results.
func (s *trainingScores) parts(ctx context.Context, e *eval.Evaluation) ([]*eval.Part, error) {
	var own []*eval.Part
	var err error
	for _, r := range eval.Shard(e.Parts(), s.ranks.Number(), s.ranks.Size()) {
		var p *eval.Part
		if p, err = e.Part(ctx, r, s.alive); err != nil {
			break
		}
		own = append(own, p)
	}
	all, err := ranks.All(s.ranks, own, err)
	if err != nil {
		return nil, err
	}
	parts := slices.Concat(all...)
	slices.SortFunc(parts, func(a, b *eval.Part) int { return cmp.Compare(a.First, b.First) })
	return parts, nil
}

// evaluation prepares to score. closing gives back what it has opened, also before an error.
func (s *trainingScores) evaluation(store *model.Store) (e *eval.Evaluation, closing []func(), err error) {
	metrics, err := s.open()
	if err != nil {
		return nil, closing, err
	}
	closing = append(closing, func() { metric.Close(metrics) })
	g, err := eval.NewGenerator(s.backend, store, s.model, s.config.Sampler, s.config.Seed, min(16, s.protocol.Clips), 1)
	if err != nil {
		return nil, closing, err
	}
	closing = append(closing, g.Close)
	if e, err = eval.NewEvaluation(g, s.dataset, s.protocol, metrics); err != nil {
		return nil, closing, err
	}
	e.Cache = s.cache
	if slices.ContainsFunc(metrics, func(m metric.Opened) bool { return m.OfModel }) {
		if e.Likelihood, err = eval.NewLikelihood(g, store, s.config.Sampler, ""); err != nil {
			return nil, closing, fmt.Errorf("train.scores.metrics: %w", err)
		}
		closing = append(closing, e.Likelihood.Close)
	}
	return e, closing, nil
}
